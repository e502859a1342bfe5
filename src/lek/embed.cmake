# SPDX-License-Identifier: EUPL-1.2
# Puts the files of kernel/ into the program, so that it needs none of them where it runs.
# kernel/SHA256SUMS stays the one place that says what their hashes must be.
set(kernel_folder ${PROJECT_SOURCE_DIR}/kernel)
file(READ ${kernel_folder}/lek-1-kernel.txt LEM_KERNEL_TEXT)
file(READ ${kernel_folder}/axioms.json LEM_AXIOMS_TEXT)
file(READ ${kernel_folder}/SHA256SUMS LEM_KERNEL_SUMS)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
             ${kernel_folder}/lek-1-kernel.txt ${kernel_folder}/axioms.json
             ${kernel_folder}/SHA256SUMS)
configure_file(${CMAKE_CURRENT_LIST_DIR}/embedded.cc.in
               ${PROJECT_BINARY_DIR}/generated/lek/embedded.cc @ONLY)
target_sources(lem_lek PRIVATE ${PROJECT_BINARY_DIR}/generated/lek/embedded.cc)
