// SPDX-License-Identifier: EUPL-1.2
#include "lek/kernel.h"

#include <algorithm>
#include <array>
#include <set>
#include <sstream>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "lek/embedded.h"

namespace lem {
namespace {

constexpr std::array<std::string_view, 5> kAxiomIds = {"sovereignty", "privacy", "transparency",
                                                       "consent", "dignity"};
constexpr size_t kFileLimit = 1 << 20;  // the shipped files have 9 kB

// The hash that SHA256SUMS gives for a file name.
std::string ExpectedHash(std::string_view file) {
  std::istringstream lines{std::string(EmbeddedKernelSums())};
  std::string hash, name;
  while (lines >> hash >> name) {
    if (name == file) return hash;
  }
  return "";
}

KernelCheck CheckHash(const std::string& what, const std::string& found, std::string_view file) {
  const std::string expected = ExpectedHash(file);
  if (found == expected) return {what, true, "SHA-256 " + found};
  return {what, false, "expected SHA-256 " + expected + ", found " + found};
}

KernelCheck CheckProse(const std::string& text) {
  const bool ascii =
      std::ranges::all_of(text, [](char c) { return (c >= 32 && c < 127) || c == '\n'; });
  const std::string found = std::to_string(text.size()) + " characters";
  if (!ascii) return {"prose", false, "expected printable ASCII, found other characters"};
  if (text.size() < 8000 || text.size() > 10000) {
    return {"prose", false, "expected 8,000 to 10,000 characters, found " + found};
  }
  return {"prose", true, found + " of printable ASCII"};
}

void RequireText(const Json& axiom, std::string_view key, const std::string& where) {
  if (axiom.At(key, where).AsString(where + "." + std::string(key)).empty()) {
    Fail(where, ".", key, ": expected text, found an empty string");
  }
}

void RequireTexts(const Json& axiom, std::string_view key, const std::string& where) {
  const std::string at = where + "." + std::string(key);
  const Json::Array& list = axiom.At(key, where).AsArray(at);
  if (list.empty()) Fail(at, ": expected at least one sentence, found none");
  for (const Json& entry : list) {
    if (entry.AsString(at).empty()) Fail(at, ": expected sentences, found an empty string");
  }
}

void RequireYields(const Json& axiom, std::string_view id, const std::string& where) {
  std::set<std::string> to;
  for (const Json& yield : axiom.At("yields", where).AsArray(where + ".yields")) {
    const std::string other = yield.At("to", where).AsString(where + ".yields.to");
    RequireText(yield, "when", where + ".yields");
    if (std::ranges::find(kAxiomIds, other) == kAxiomIds.end() || other == id) {
      Fail(where, ".yields: expected the id of another axiom, found ", other);
    }
    if (!to.insert(other).second) Fail(where, ".yields: ", other, " is named twice");
  }
  if (to.size() != kAxiomIds.size() - 1) {
    Fail(where, ".yields: expected all four other axioms, found ", to.size());
  }
}

void RequireAxioms(const Json& axioms, const std::string& where) {
  if (axioms.At("version", where).AsInteger(where + ".version") < 1) {
    Fail(where, ".version: expected 1 or more");
  }
  const Json::Array& list = axioms.At("axioms", where).AsArray(where + ".axioms");
  if (list.size() != kAxiomIds.size()) {
    Fail(where, ".axioms: expected five, found ", list.size());
  }
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string at = where + ".axioms[" + std::to_string(i) + "]";
    const std::string& id = list[i].At("id", at).AsString(at + ".id");
    if (id != kAxiomIds[i]) Fail(at, ".id: expected ", kAxiomIds[i], ", found ", id);
    RequireText(list[i], "name", at);
    RequireText(list[i], "statement", at);
    RequireTexts(list[i], "asks", at);
    RequireTexts(list[i], "forbids", at);
    RequireYields(list[i], id, at);
  }
}

KernelCheck CheckAxioms(const Kernel& kernel) {
  try {
    RequireAxioms(Json::Parse(kernel.axioms_text, kernel.axioms_where), kernel.axioms_where);
  } catch (const Error& e) {
    return {"axioms", false, e.what()};
  }
  return {"axioms", true, "five axioms, each yielding to the other four"};
}

Json MakeMessage(std::string_view role, std::string content) {
  Json message = Json::MakeObject();
  message.Set("role", Json(role));
  message.Set("content", Json(std::move(content)));
  return message;
}

// Without the newline at the end, as a message is written.
std::string_view Trimmed(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

std::string Join(std::string_view a, std::string_view b) {
  return std::string(Trimmed(a)) + "\n\n" + std::string(Trimmed(b));
}

}  // namespace

Kernel LoadKernel(const KernelSources& sources) {
  Kernel kernel;
  kernel.text = sources.kernel.empty() ? std::string(EmbeddedKernelText())
                                       : ReadTextFile(sources.kernel, kFileLimit);
  kernel.axioms_text = sources.axioms.empty() ? std::string(EmbeddedAxiomsText())
                                              : ReadTextFile(sources.axioms, kFileLimit);
  kernel.text_where = sources.kernel.empty() ? "the built-in kernel" : sources.kernel;
  kernel.axioms_where = sources.axioms.empty() ? "the built-in axioms" : sources.axioms;
  kernel.text_sha256 = Sha256Hex(kernel.text);
  kernel.axioms_sha256 = Sha256Hex(kernel.axioms_text);
  return kernel;
}

std::vector<KernelCheck> VerifyKernel(const Kernel& kernel) {
  return {CheckHash("lek-1-kernel.txt", kernel.text_sha256, "lek-1-kernel.txt"),
          CheckHash("axioms.json", kernel.axioms_sha256, "axioms.json"), CheckProse(kernel.text),
          CheckAxioms(kernel)};
}

KernelForm KernelFormByName(std::string_view name) {
  for (const KernelForm form :
       {KernelForm::kNone, KernelForm::kSystem, KernelForm::kPrefix, KernelForm::kSandwich}) {
    if (name == NameOf(form)) return form;
  }
  FailUsage("--form: expected system, prefix, sandwich or none, found ", name);
}

std::string_view NameOf(KernelForm form) {
  switch (form) {
    case KernelForm::kNone:
      return "none";
    case KernelForm::kSystem:
      return "system";
    case KernelForm::kPrefix:
      return "prefix";
    case KernelForm::kSandwich:
      return "sandwich";
  }
  return "";
}

Json RenderKernel(const Kernel& kernel, KernelForm form, std::string_view prompt) {
  Json messages = Json::MakeArray();
  switch (form) {
    case KernelForm::kNone:
      messages.Append(MakeMessage("user", std::string(prompt)));
      break;
    case KernelForm::kSystem:
      messages.Append(MakeMessage("system", std::string(Trimmed(kernel.text))));
      messages.Append(MakeMessage("user", std::string(prompt)));
      break;
    case KernelForm::kPrefix:
      messages.Append(MakeMessage("user", Join(Join(kernel.text, "---"), prompt)));
      break;
    case KernelForm::kSandwich:
      messages.Append(MakeMessage("user", Join(Join(kernel.axioms_text, prompt), kernel.text)));
      break;
  }
  return messages;
}

}  // namespace lem
