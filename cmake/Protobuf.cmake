# fed_protobuf(TARGET FILE.proto): C code for a protobuf schema, made by protoc-c at build time.
find_program(PROTOC_C protoc-c REQUIRED)
find_file(FED_ONNX_SCHEMA onnx.proto PATH_SUFFIXES onnx REQUIRED
          DOC "ONNX's own schema (Debian package libonnx-dev)")

function(fed_protobuf target schema)
  get_filename_component(name ${schema} NAME_WE)
  get_filename_component(folder ${schema} DIRECTORY)
  set(generated ${PROJECT_BINARY_DIR}/generated)
  file(MAKE_DIRECTORY ${generated})
  add_custom_command(
    OUTPUT ${generated}/${name}.pb-c.c ${generated}/${name}.pb-c.h
    COMMAND ${PROTOC_C} --c_out=${generated} --proto_path=${folder} ${schema}
    DEPENDS ${schema} VERBATIM)
  target_sources(${target} PRIVATE ${generated}/${name}.pb-c.c ${generated}/${name}.pb-c.h)
  set_source_files_properties(${generated}/${name}.pb-c.c PROPERTIES COMPILE_OPTIONS -w)
endfunction()
