module.exports = { env: {}, InferenceSession: {}, Tensor: class {} };
