// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/kernel/kernel.h"

namespace lem {

std::string RenderedText(const Kernel& kernel, KernelForm form, const std::string& prompt) {
  const Json messages = RenderKernel(kernel, form, prompt);
  return messages.array().front().At("content", "messages").string();
}

}  // namespace lem
