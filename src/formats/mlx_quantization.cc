// SPDX-License-Identifier: EUPL-1.2
#include "formats/mlx_quantization.h"

#include "base/error.h"

namespace lem {
namespace {

bool HasText(const Json* value) { return value && value->IsString(); }

int ReadOption(const Json& json, const char* key, int otherwise, std::initializer_list<int> allowed,
               const std::string& where) {
  const Json* value = json.Find(key);
  if (!value || value->IsNull())
    return otherwise;  // mixed recipes write null for "the mode's default"
  const int64_t number = value->AsInteger(where + ": " + key);
  for (const int choice : allowed) {
    if (choice == number) return choice;
  }
  Fail(where, ": ", key, " is ", number, "; expected ",
       *key == 'b' ? "2, 3, 4, 5, 6 or 8 bits" : "groups of 32, 64 or 128");
}

AffineFormat ReadFormat(const Json& json, const std::string& where) {
  const Json* mode = json.Find("mode");
  if (mode && !mode->IsNull() && mode->AsString(where + ": mode") != "affine") {
    Fail(where, ": the quantisation mode ", mode->string(),
         " is not supported; only affine is, convert the model from its unquantised weights");
  }
  AffineFormat format;
  format.bits = ReadOption(json, "bits", 4, {2, 3, 4, 5, 6, 8}, where);
  format.group_size = ReadOption(json, "group_size", 64, {32, 64, 128}, where);
  return format;
}

// The object that describes MLX's own quantisation, or null.
const Json* FindDescription(const Json& config, const std::string& where) {
  if (const Json* own = config.Find("quantization"); own && !own->IsNull()) return own;
  const Json* foreign = config.Find("quantization_config");
  if (!foreign || foreign->IsNull()) return nullptr;
  if (HasText(foreign->Find("quant_method"))) {
    Fail(where, ": the model is quantised by ", foreign->Find("quant_method")->string(),
         ", which is not supported; use its unquantised weights, an MLX affine version or a GGUF "
         "file");
  }
  if (!foreign->Find("bits") && !foreign->Find("mode")) {
    Fail(where, ": quantization_config: expected MLX's group_size and bits, found ",
         foreign->Dump().substr(0, 120), "; use the model's unquantised weights or a GGUF file");
  }
  return foreign;
}

}  // namespace

MlxQuantization MlxQuantization::FromConfig(const Json& config, std::string where) {
  MlxQuantization result;
  result.where_ = std::move(where);
  const Json* json = FindDescription(config, result.where_);
  if (!json) return result;
  const std::string place = result.where_ + ": quantization";
  result.default_ = ReadFormat(*json, place);
  result.present_ = true;
  for (const auto& [key, value] : json->AsObject(place)) {
    if (value.IsObject()) {
      result.overrides_[key] = {true, ReadFormat(value, place + ": " + key)};
    } else if (value.IsBool() && key.find('.') != key.npos) {
      result.overrides_[key] = {value.boolean(), result.default_};
    }
  }
  return result;
}

AffineFormat MlxQuantization::FormatOf(std::string_view module) const {
  if (!present_) {
    Fail(where_, ": ", module,
         " has scales, but the file has no \"quantization\" that says its bits");
  }
  const auto found = overrides_.find(module);
  if (found == overrides_.end()) return default_;
  if (!found->second.quantized) {
    Fail(where_, ": quantization: ", module, " is false, but the weights hold scales for it");
  }
  return found->second.format;
}

}  // namespace lem
