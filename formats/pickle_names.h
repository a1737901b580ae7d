// What a name in a pickle means when the pickle calls it: a container, refused, or data unknown.
//
// The rule, whole: nothing is ever called. A call of one of the few names that build containers
// gives that container; a call of a name whose only use is to do something (to run a program, to
// evaluate text, to reach into the interpreter) is an error that says so; every other call gives
// an opaque object that keeps its class, its arguments and its state as values. A name that is
// only mentioned, and not called, is data.
#pragma once

#include <string_view>

namespace vq {

enum class PickleCallee { object, dict, refused };

// os.system: module "os", name "system". A module is refused with all its submodules; of builtins
// (in Python 2 __builtin__) single functions are.
PickleCallee pickle_callee(std::string_view module, std::string_view name);

}  // namespace vq
