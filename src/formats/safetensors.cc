// SPDX-License-Identifier: EUPL-1.2
// The reader: checks every byte of the format's promise once. The writer is safetensors_write.cc.
#include "formats/safetensors.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "formats/json.h"
#include "formats/near_names.h"
#include "tensor/shape.h"

namespace lem {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;
constexpr JsonLimits kHeaderLimits = {.max_depth = 8, .max_values = size_t{1} << 22};

std::optional<Dtype> DtypeByName(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Dtype::kC64); ++i) {
    if (NameOf(static_cast<Dtype>(i)) == name) return static_cast<Dtype>(i);
  }
  return std::nullopt;
}

int64_t Whole(const Json& value, const std::string& where) {
  if (!value.IsInteger() || value.integer() < 0) {
    Fail(where, ": expected a whole number of 0 or more, found ", value.Dump().substr(0, 60));
  }
  return value.integer();
}

std::vector<int64_t> ParseShape(const Json& json, const std::string& where) {
  std::vector<int64_t> shape;
  for (const Json& size : json.AsArray(where)) shape.push_back(Whole(size, where));
  return shape;
}

// Where a tensor's bytes lie, to be checked for holes and overlaps.
struct Extent {
  uint64_t begin, end;
  std::string_view name;
};

class HeaderReader {
 public:
  HeaderReader(std::span<const std::byte> data, const std::string& name)
      : data_(data), name_(name) {}

  TensorView Tensor(const std::string& tensor, const Json& json) {
    const std::string where = name_ + ": tensor " + tensor;
    TensorView view;
    const std::string& dtype = json.At("dtype", where).AsString(where + ": dtype");
    const auto known = DtypeByName(dtype);
    if (!known) Fail(where, ": its type ", dtype, " is not one this program knows");
    view.dtype = *known;
    view.shape = ParseShape(json.At("shape", where), where + ": shape");
    const Json::Array& offsets = json.At("data_offsets", where).AsArray(where + ": data_offsets");
    if (offsets.size() != 2)
      Fail(where, ": data_offsets: expected 2 numbers, found ", offsets.size());
    const uint64_t begin = static_cast<uint64_t>(Whole(offsets[0], where + ": data_offsets"));
    const uint64_t end = static_cast<uint64_t>(Whole(offsets[1], where + ": data_offsets"));
    if (begin > end || end > data_.size()) {
      Fail(where, ": bytes ", begin, " to ", end, " lie outside the file's ", data_.size(),
           " bytes of data; the file is damaged or incomplete, get it again");
    }
    CheckSize(view, end - begin, where);
    view.bytes = data_.subspan(begin, end - begin);
    extents_.push_back({begin, end, tensor});
    return view;
  }

  void CheckCoverage() {
    std::sort(extents_.begin(), extents_.end(), [](const Extent& a, const Extent& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    uint64_t reached = 0;
    for (const Extent& extent : extents_) {
      if (extent.begin != reached) {
        Fail(name_, ": tensor ", extent.name, " begins at byte ", extent.begin,
             " of the data, but the ", "one before it ends at ", reached,
             extent.begin < reached ? " (overlap)" : " (hole)");
      }
      reached = extent.end;
    }
    if (reached != data_.size()) {
      Fail(name_, ": the header describes ", reached, " bytes of data, but the file has ",
           data_.size());
    }
  }

 private:
  static void CheckSize(const TensorView& view, uint64_t bytes, const std::string& where) {
    const auto count = CountElements(view.shape);
    uint64_t expected = 0;
    const bool fits = count && !__builtin_mul_overflow(static_cast<uint64_t>(*count),
                                                       SizeOf(view.dtype), &expected);
    if (fits && expected == bytes) return;
    Fail(where, ": shape ", ShapeText(view.shape), " of ", NameOf(view.dtype),
         fits ? " needs " + std::to_string(expected) + " bytes" : " is larger than any file",
         ", but its offsets hold ", bytes);
  }

  std::span<const std::byte> data_;
  const std::string& name_;
  std::vector<Extent> extents_;
};

std::string_view HeaderText(std::span<const std::byte> file, const std::string& name) {
  uint64_t size = 0;
  if (file.size() < sizeof size) {
    Fail(name, ": expected a safetensors file, found only ", file.size(),
         " bytes; the file is damaged or incomplete, get it again");
  }
  std::memcpy(&size, file.data(), sizeof size);
  if (size > kMaxHeader) {
    Fail(name, ": the header claims ", size, " bytes, more than the ", kMaxHeader,
         " that the format allows; is this a safetensors file?");
  }
  if (size > file.size() - sizeof size) {
    Fail(name, ": the header claims ", size, " bytes, but only ", file.size() - sizeof size,
         " follow; the file is damaged or incomplete, get it again");
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + sizeof size, size);
  if (text.empty() || text[0] != '{') {
    Fail(name, ": expected the header to begin with {; this is no safetensors file");
  }
  return text;
}

}  // namespace

Safetensors Safetensors::Parse(std::span<const std::byte> file, std::string name) {
  Safetensors result;
  result.name_ = std::move(name);
  const std::string_view text = HeaderText(file, result.name_);
  const Json header = Json::Parse(text, result.name_ + ": header", kHeaderLimits);
  HeaderReader reader(file.subspan(sizeof(uint64_t) + text.size()), result.name_);
  for (const auto& [key, value] : header.object()) {
    if (key != "__metadata__") {
      result.tensors_.emplace(key, reader.Tensor(key, value));
    } else if (!value.IsNull()) {
      const std::string where = result.name_ + ": __metadata__";
      for (const auto& [k, v] : value.AsObject(where)) result.metadata_[k] = v.AsString(where);
    }
  }
  reader.CheckCoverage();
  return result;
}

const TensorView* Safetensors::Find(std::string_view tensor) const {
  const auto found = tensors_.find(tensor);
  return found == tensors_.end() ? nullptr : &found->second;
}

const TensorView& Safetensors::Get(std::string_view tensor) const {
  if (const TensorView* view = Find(tensor)) return *view;
  std::vector<std::string_view> names;
  for (const auto& [name, view] : tensors_) names.push_back(name);
  Fail(name_, ": no tensor ", tensor, NearNames(tensor, names));
}

}  // namespace lem
