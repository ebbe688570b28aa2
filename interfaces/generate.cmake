# Shared by the packages beside this file: generates and builds all messages, services and actions of one package.
#
# Only what Python nodes on Fast DDS need is made. The dependencies switch on every generator there is; the C++ ones would take
# most of the compile time and are dropped again. The introspection stays: with one type support alone, rosidl skips the
# dispatch that the wheels expect, and every action prints errors that are none.

find_package(ament_cmake REQUIRED)
find_package(rosidl_cmake REQUIRED)
find_package(rosidl_generator_type_description REQUIRED)
find_package(rosidl_generator_c REQUIRED)
find_package(rosidl_typesupport_fastrtps_c REQUIRED)
find_package(rosidl_typesupport_introspection_c REQUIRED)
find_package(rosidl_typesupport_c REQUIRED)
find_package(rosidl_generator_py REQUIRED)

# generate_interfaces(<package> ...): the packages whose messages ours refer to.
# A macro, since rosidl leaves what ament_package() exports in the variables of the caller.
macro(generate_interfaces)
  foreach(package ${ARGN})
    find_package(${package} REQUIRED)
  endforeach()
  list(FILTER AMENT_EXTENSIONS_rosidl_generate_idl_interfaces EXCLUDE REGEX "_cpp:")
  file(GLOB definitions RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS msg/*.msg srv/*.srv action/*.action)
  rosidl_generate_interfaces(${PROJECT_NAME} ${definitions} DEPENDENCIES ${ARGN})
  foreach(library typesupport_fastrtps_c typesupport_introspection_c typesupport_c)
    # one compiler run for all files: their time goes into the same few headers
    set_target_properties(${PROJECT_NAME}__rosidl_${library} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
  endforeach()
endmacro()
