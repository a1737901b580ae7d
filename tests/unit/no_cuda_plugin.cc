// A library that is no plugin, for cuda_plugin_test.cc.
extern "C" int not_the_plugin_of_anything() { return 0; }
