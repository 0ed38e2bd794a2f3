# SPDX-License-Identifier: Apache-2.0
# Nodes in Python need nothing of C++, which is two thirds of what there is to compile. rosidl
# generates by all its packages that registered when they were found, and has no choice of them.
option(PYTHON_ONLY "generate messages for Python and C alone" OFF)
if(PYTHON_ONLY)
  list(FILTER AMENT_EXTENSIONS_rosidl_generate_idl_interfaces EXCLUDE REGEX "_cpp:")
endif()
