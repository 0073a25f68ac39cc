// tfjs-node's addon with two functions more: `newSession(config)` opens an empty session with threads of
// its own, and `extendSavedModel(session, graphDef, names)` adds nodes to a session that runs. The package
// alone can only load another session, into which every variable has to be copied, from a graphics card
// and back.

#include <node_api.h>

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/eager/c_api.h"
#include "tensorflow/c/tf_buffer.h"

// The sessions' graphs are private there, and the module registers itself.
#define private public
#include "tfjs_backend.h"
#undef private
#undef NAPI_MODULE
#define NAPI_MODULE(name, init)
#include "tfjs_binding.cc"

namespace tfnodejs {

// The backend of a call and its arguments; nullptr, and an error in JavaScript, where there are fewer.
template <size_t Count>
static TFJSBackend *TakeArguments(napi_env env, napi_callback_info info,
                                  napi_value (&args)[Count], const char *usage) {
  size_t given = Count;
  ENSURE_NAPI_OK_RETVAL(
      env, napi_get_cb_info(env, info, &given, args, nullptr, nullptr), nullptr);
  if (given < Count) {
    NAPI_THROW_ERROR(env, "%s", usage);
    return nullptr;
  }
  return GetTFJSBackend(env);
}

// - config (Uint8Array), a serialized ConfigProto
// Returns the session's number, as loadSavedModel does.
static napi_value NewSession(napi_env env, napi_callback_info info) {
  napi_value args[1];
  TFJSBackend *const backend =
      TakeArguments(env, info, args, "newSession() takes a config");
  if (!backend) return nullptr;

  void *bytes;
  size_t length;
  ENSURE_NAPI_OK_RETVAL(env,
                        napi_get_typedarray_info(env, args[0], nullptr, &length, &bytes,
                                                 nullptr, nullptr),
                        nullptr);
  std::unique_ptr<TF_SessionOptions, decltype(&TF_DeleteSessionOptions)> options(
      TF_NewSessionOptions(), TF_DeleteSessionOptions);
  TF_AutoStatus status;
  TF_SetConfig(options.get(), bytes, length, status.status);
  ENSURE_TF_OK_RETVAL(env, status, nullptr);
  std::unique_ptr<TF_Graph, decltype(&TF_DeleteGraph)> graph(TF_NewGraph(), TF_DeleteGraph);
  TF_Session *session = TF_NewSession(graph.get(), options.get(), status.status);
  ENSURE_TF_OK_RETVAL(env, status, nullptr);
  napi_value id;
  ENSURE_NAPI_OK_RETVAL(
      env, napi_create_int32(env, backend->InsertSavedModel(session, graph.release()), &id),
      nullptr);
  return id;
}

// - session (number), as loadSavedModel or newSession gave it
// - graph (Uint8Array), a serialized GraphDef
// - names (string), comma-separated: nodes of the session that the graph's nodes take as inputs
static napi_value ExtendSavedModel(napi_env env, napi_callback_info info) {
  napi_value args[3];
  TFJSBackend *const backend =
      TakeArguments(env, info, args, "extendSavedModel() takes a session, a graph and names");
  if (!backend) return nullptr;

  int32_t id;
  ENSURE_NAPI_OK_RETVAL(env, napi_get_value_int32(env, args[0], &id), nullptr);
  auto entry = backend->tf_savedmodel_map_.find(id);
  if (entry == backend->tf_savedmodel_map_.end()) {
    NAPI_THROW_ERROR(env, "SavedModel ID not found (savedmodel_id: %d)", id);
    return nullptr;
  }
  TF_Graph *graph = entry->second.second;

  void *bytes;
  size_t length;
  ENSURE_NAPI_OK_RETVAL(env,
                        napi_get_typedarray_info(env, args[1], nullptr, &length, &bytes,
                                                 nullptr, nullptr),
                        nullptr);
  std::string names;
  ENSURE_NAPI_OK_RETVAL(env, GetStringParam(env, args[2], names), nullptr);

  std::unique_ptr<TF_ImportGraphDefOptions, decltype(&TF_DeleteImportGraphDefOptions)> options(
      TF_NewImportGraphDefOptions(), TF_DeleteImportGraphDefOptions);
  for (size_t start = 0; start < names.size();) {
    size_t end = std::min(names.find(',', start), names.size());
    const std::string name = names.substr(start, end - start);
    TF_Operation *operation = TF_GraphOperationByName(graph, name.c_str());
    if (operation == nullptr) {
      NAPI_THROW_ERROR(env, "The session has no node %s", name.c_str());
      return nullptr;
    }
    TF_ImportGraphDefOptionsAddInputMapping(options.get(), name.c_str(), 0, {operation, 0});
    start = end + 1;
  }
  std::unique_ptr<TF_Buffer, decltype(&TF_DeleteBuffer)> buffer(
      TF_NewBufferFromString(bytes, length), TF_DeleteBuffer);
  TF_AutoStatus status;
  TF_GraphImportGraphDef(graph, buffer.get(), options.get(), status.status);
  // The session takes the new nodes in at its next run.
  ENSURE_TF_OK_RETVAL(env, status, nullptr);
  return nullptr;
}

}  // namespace tfnodejs

NAPI_MODULE_INIT() {
  exports = tfnodejs::InitTFNodeJSBinding(env, exports);
  if (exports == nullptr) return nullptr;
  napi_property_descriptor added[] = {
      {"newSession", nullptr, tfnodejs::NewSession, nullptr, nullptr, nullptr, napi_default,
       nullptr},
      {"extendSavedModel", nullptr, tfnodejs::ExtendSavedModel, nullptr, nullptr, nullptr,
       napi_default, nullptr}};
  napi_define_properties(env, exports, 2, added);
  return exports;
}
