/* config/demo.yaml, built in. */
#ifndef ENGINE_DEMO_YAML_H
#define ENGINE_DEMO_YAML_H

#include <stddef.h>

extern const unsigned char demo_yaml[]; /* made by CMakeLists.txt */
extern const size_t demo_yaml_bytes;

#endif
