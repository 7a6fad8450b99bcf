// A Node addon that setup-tensorflow compiles and mim loads before TensorFlow's own addon: it opens
// TensorFlow's libraries without their log messages.
#include <dlfcn.h>
#include <fcntl.h>
#include <glob.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/log/globals.h"

namespace {

// Opens the CUDA libraries that pip installed; TensorFlow searches the system's folders only. A library
// can be opened only after those it depends on, hence several passes.
void OpenCudaLibraries(const std::string& root) {
  glob_t found;
  if (glob((root + "/nvidia/*/lib/lib*.so*").c_str(), 0, nullptr, &found) != 0) return;
  for (int pass = 0; pass < 3; pass++) {
    for (size_t i = 0; i < found.gl_pathc; i++) dlopen(found.gl_pathv[i], RTLD_LAZY | RTLD_GLOBAL);
  }
  globfree(&found);
}

// The initializers of the library log before a level can be set, so standard error is redirected.
void OpenQuietly(const char* path) {
  const int terminal = dup(STDERR_FILENO);
  const int nowhere = open("/dev/null", O_WRONLY);
  dup2(nowhere, STDERR_FILENO);
  dlopen(path, RTLD_LAZY | RTLD_GLOBAL);
  dup2(terminal, STDERR_FILENO);
  close(nowhere);
  close(terminal);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void* napi_register_module_v1(void*, void* exports) {
  const char* value = std::getenv("TF_CPP_MIN_LOG_LEVEL");
  const int level = value ? std::atoi(value) : 2;
  const char* framework = MIM_TENSORFLOW_DIR "/libtensorflow_framework.so.2";
  OpenCudaLibraries(MIM_TENSORFLOW_DIR "/..");
  level > 0 ? OpenQuietly(framework) : (void)dlopen(framework, RTLD_LAZY | RTLD_GLOBAL);
  absl::SetMinLogLevel(static_cast<absl::LogSeverityAtLeast>(level));
  return exports;
}
