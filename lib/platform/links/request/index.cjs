const refuse = () => {
  throw new Error(
    "Cannot read a remote file through danfojs: expected a local file; fetch it first",
  );
};
module.exports = Object.assign(refuse, { get: refuse });
