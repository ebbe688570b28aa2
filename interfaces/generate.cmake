# Shared by the packages beside this file: generates and builds all messages, services and actions of one package.
#
# Only the generators that Python nodes on Fast DDS need are found here: finding one is what switches it on. The
# introspection and the dispatching C++ type supports stay off, which halves the compile time.

find_package(ament_cmake REQUIRED)
set(generators
  rosidl_generator_type_description
  rosidl_generator_c
  rosidl_generator_cpp
  rosidl_typesupport_fastrtps_cpp
  rosidl_typesupport_fastrtps_c
  rosidl_typesupport_c
  rosidl_generator_py)
find_package(rosidl_cmake REQUIRED)
foreach(package IN LISTS generators)
  find_package(${package} REQUIRED)
endforeach()

# generate_interfaces(<package> ...): the packages whose messages ours refer to.
# A macro, since rosidl leaves what ament_package() exports in the variables of the caller.
macro(generate_interfaces)
  foreach(package ${ARGN})
    find_package(${package} REQUIRED)
  endforeach()
  file(GLOB definitions RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS msg/*.msg srv/*.srv action/*.action)
  rosidl_generate_interfaces(${PROJECT_NAME} ${definitions} DEPENDENCIES ${ARGN})
endmacro()
