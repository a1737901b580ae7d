#include "formats/pickle_names.h"

#include <algorithm>
#include <array>

namespace vq {
namespace {

// Not "code" and "commands": people call their own packages so.
constexpr std::array<std::string_view, 17> kCodeModules = {
    "os",     "posix",      "nt",     "posixpath", "ntpath", "subprocess",
    "sys",    "shutil",     "socket", "pty",       "runpy",  "importlib",
    "ctypes", "webbrowser", "pickle", "_pickle",   "marshal"};

constexpr std::array<std::string_view, 15> kCodeBuiltins = {
    "eval",    "exec",    "execfile", "compile", "open",       "file", "input",     "raw_input",
    "getattr", "setattr", "delattr",  "globals", "__import__", "vars", "breakpoint"};

template <size_t n>
bool among(const std::array<std::string_view, n>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

}  // namespace

PickleCallee pickle_callee(std::string_view module, std::string_view name) {
  const bool builtin = module == "builtins" || module == "__builtin__";
  if (among(kCodeModules, module.substr(0, module.find('.')))) return PickleCallee::refused;
  // A dotted name reaches into a class or a module: eval.__call__ is eval.
  if (builtin && among(kCodeBuiltins, name.substr(0, name.find('.')))) {
    return PickleCallee::refused;
  }
  const bool dict = (module == "collections" && (name == "OrderedDict" || name == "defaultdict")) ||
                    (builtin && name == "dict");
  return dict ? PickleCallee::dict : PickleCallee::object;
}

}  // namespace vq
