# SPDX-License-Identifier: Apache-2.0
# Messages for nodes in Python need no type support for C++, but it is half of what there is to
# compile. rosidl makes what its packages registered when they were found, and asks nobody.
option(PYTHON_ONLY "generate messages without type support for C++ nodes" OFF)
if(PYTHON_ONLY)
  list(FILTER AMENT_EXTENSIONS_rosidl_generate_idl_interfaces
    EXCLUDE REGEX "^rosidl_typesupport(_introspection)?_cpp:")
endif()
