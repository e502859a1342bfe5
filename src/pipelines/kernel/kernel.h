// SPDX-License-Identifier: EUPL-1.2
// What `lem kernel` does beyond lek/kernel.h: picking the text that a form puts before a model.
#pragma once

#include <string>

#include "lek/kernel.h"

namespace lem {

// The text for one message: the system prompt of form system; otherwise the whole user message.
// Form none gives the prompt itself.
std::string RenderedText(const Kernel& kernel, KernelForm form, const std::string& prompt);

}  // namespace lem
