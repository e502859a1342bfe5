// SPDX-License-Identifier: EUPL-1.2
// Maps a model's files once and keeps one sorted table of names, whichever container holds them.
#include "formats/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/check.h"
#include "base/error.h"
#include "base/hash.h"
#include "formats/mapped_file.h"
#include "formats/mlx_quantization.h"
#include "formats/model_folder.h"
#include "formats/near_names.h"
#include "tensor/shape.h"

namespace lem {
namespace {

namespace fs = std::filesystem;

// Rows and columns of a tensor of any rank: all but the innermost dimension are rows.
void SetShape(const std::vector<int64_t>& shape, StoredMatrix* matrix) {
  matrix->cols = shape.empty() ? 1 : shape.back();
  matrix->rows = shape.size() < 2 ? 1 : *CountElements({shape.data(), shape.size() - 1});
}

std::string_view Module(std::string_view weight) {
  return weight.substr(0, weight.size() - std::string_view(".weight").size());
}

bool IsFloat(Dtype dtype) {
  return dtype == Dtype::kF32 || dtype == Dtype::kF16 || dtype == Dtype::kBF16 ||
         dtype == Dtype::kF64;
}

}  // namespace

struct Checkpoint::State {
  struct Entry {
    const TensorView* view = nullptr;  // kFolder
    const std::string* file = nullptr;
    const GgufTensor* tensor = nullptr;  // kGguf
  };

  Layout layout = Layout::kFolder;
  fs::path path;
  Json config, generation_config;
  MlxQuantization quantization;
  std::vector<MappedFile> mapped;
  std::vector<Safetensors> safetensors;
  std::vector<Gguf> ggufs;
  std::map<std::string, Entry, std::less<>> entries;

  void OpenFolder();
  void OpenGguf();
  void AddSplitParts();
  void AddEntry(const std::string& name, Entry entry, const std::string& file);
  const Entry* FindEntry(std::string_view name) const;
  const TensorView* FindView(std::string_view module, const char* suffix) const;
  bool IsAffinePart(std::string_view name) const;
  StoredMatrix FromView(std::string_view name, const Entry& entry) const;
  StoredMatrix FromAffine(std::string_view name, const Entry& entry,
                          const TensorView& scales) const;
  StoredMatrix FromGguf(const GgufTensor& tensor) const;
};

void Checkpoint::State::AddEntry(const std::string& name, Entry entry, const std::string& file) {
  if (!entries.emplace(name, entry).second) {
    Fail(file, ": tensor ", name, " is also in another file of this model; keep one of them");
  }
}

void Checkpoint::State::OpenFolder() {
  layout = Layout::kFolder;
  RequireModelFolder(path);
  const std::string config_path = (path / "config.json").string();
  config = Json::ParseFile(config_path);
  config.AsObject(config_path);
  if (fs::exists(path / "generation_config.json")) {
    generation_config = Json::ParseFile((path / "generation_config.json").string());
  }
  quantization = MlxQuantization::FromConfig(config, config_path);
  const WeightFiles weights = FindWeightFiles(path);
  for (const fs::path& file : weights.files) mapped.emplace_back(file);
  for (const MappedFile& file : mapped) {
    safetensors.push_back(Safetensors::Parse(file.bytes(), file.path()));
  }
  for (const Safetensors& file : safetensors) {
    for (const auto& [name, view] : file.tensors())
      AddEntry(name, {&view, &file.name(), nullptr}, file.name());
  }
  for (const auto& [tensor, file] : weights.expected_file) {
    const auto found = entries.find(tensor);
    if (found == entries.end() || fs::path(*found->second.file).filename() != file) {
      Fail((path / "model.safetensors.index.json").string(), ": says that tensor ", tensor,
           " is in ", file, ", but it is not; get both files again");
    }
  }
}

void Checkpoint::State::OpenGguf() {
  layout = Layout::kGguf;
  mapped.emplace_back(path);
  const auto bytes = mapped[0].bytes();
  if (bytes.size() < 4 ||
      std::string_view(reinterpret_cast<const char*>(bytes.data()), 4) != "GGUF") {
    Fail(path.string(), ": expected a model folder or a GGUF file, found a file that is neither",
         path.extension() == ".safetensors" ? "; name the folder that holds it" : "");
  }
  ggufs.push_back(Gguf::Parse(bytes, path.string()));
  AddSplitParts();
  for (const Gguf& gguf : ggufs) {
    for (const GgufTensor& tensor : gguf.tensors())
      AddEntry(tensor.name, {nullptr, nullptr, &tensor}, gguf.name());
  }
  int64_t promised = 0;
  if (ggufs[0].FindInteger("split.tensors.count", &promised) &&
      promised != static_cast<int64_t>(entries.size())) {
    Fail(path.string(), ": split.tensors.count promises ", promised, " tensors, the parts hold ",
         entries.size());
  }
}

// A split GGUF says so in its keys; its other parts lie beside it as NAME-0000k-of-0000n.gguf.
void Checkpoint::State::AddSplitParts() {
  constexpr int64_t kMostParts = 9999;
  int64_t count = 0, own = 0;
  if (!ggufs[0].FindInteger("split.count", &count) || count <= 1) return;
  ggufs[0].FindInteger("split.no", &own);
  const std::string name = path.filename().string(),
                    ending = fmt::format("-{:05}-of-{:05}.gguf", 1, count);
  if (own != 0) {
    Fail(path.string(), ": this is part ", own + 1, " of ", count,
         "; name the first part, which ends in ", ending);
  }
  if (count > kMostParts)
    Fail(path.string(), ": split.count: expected at most ", kMostParts, ", found ", count);
  if (!name.ends_with(ending)) {
    Fail(path.string(), ": this is the first of ", count, " parts, so its name must end in ",
         ending);
  }
  const std::string stem = name.substr(0, name.size() - ending.size());
  for (int64_t part = 2; part <= count; ++part) {
    const fs::path file =
        path.parent_path() / fmt::format("{}-{:05}-of-{:05}.gguf", stem, part, count);
    if (!fs::exists(file))
      Fail(file.string(), ": part ", part, " of ", count, " is missing; get it too");
    mapped.emplace_back(file);
    ggufs.push_back(Gguf::Parse(mapped.back().bytes(), file.string()));
    int64_t number = -1;
    if (!ggufs.back().FindInteger("split.no", &number) || number != part - 1) {
      Fail(file.string(), ": expected split.no ", part - 1, ", found ", number);
    }
  }
}

const Checkpoint::State::Entry* Checkpoint::State::FindEntry(std::string_view name) const {
  const auto found = entries.find(name);
  return found == entries.end() ? nullptr : &found->second;
}

const TensorView* Checkpoint::State::FindView(std::string_view module, const char* suffix) const {
  const Entry* entry = FindEntry(std::string(module) + suffix);
  return entry ? entry->view : nullptr;
}

// X.scales or X.biases where X.weight and X.scales exist.
bool Checkpoint::State::IsAffinePart(std::string_view name) const {
  for (const std::string_view suffix : {".scales", ".biases"}) {
    if (!name.ends_with(suffix)) continue;
    const std::string_view module = name.substr(0, name.size() - suffix.size());
    return FindView(module, ".weight") && FindView(module, ".scales");
  }
  return false;
}

StoredMatrix Checkpoint::State::FromView(std::string_view name, const Entry& entry) const {
  if (name.ends_with(".weight")) {
    if (const TensorView* scales = FindView(Module(name), ".scales"))
      return FromAffine(name, entry, *scales);
  }
  StoredMatrix matrix;
  if (!IsFloat(entry.view->dtype)) {
    Fail(*entry.file, ": tensor ", name, ": expected floating numbers (F32, F16, BF16), found ",
         NameOf(entry.view->dtype));
  }
  SetShape(entry.view->shape, &matrix);
  matrix.dtype = entry.view->dtype;
  matrix.bytes = entry.view->bytes;
  return matrix;
}

StoredMatrix Checkpoint::State::FromAffine(std::string_view name, const Entry& entry,
                                           const TensorView& scales) const {
  const std::string where = *entry.file + ": tensor " + std::string(name);
  const std::vector<int64_t>& shape = entry.view->shape;
  const TensorView* biases = FindView(Module(name), ".biases");
  if (!biases)
    Fail(where, ": has .scales but no .biases, so it is not quantised in MLX's affine mode");
  StoredMatrix matrix;
  matrix.kind = StoredMatrix::Kind::kAffine;
  matrix.affine = quantization.FormatOf(Module(name));
  if (entry.view->dtype != Dtype::kU32 || shape.size() < 2 || entry.view->bytes.empty()) {
    Fail(where, ": expected packed U32 words in rows, found ", NameOf(entry.view->dtype), " ",
         ShapeText(shape));
  }
  if (scales.dtype == Dtype::kF64 || !IsFloat(scales.dtype) || biases->dtype != scales.dtype) {
    Fail(where, ": expected scales and biases of one type of F32, F16, BF16, found ",
         NameOf(scales.dtype), " and ", NameOf(biases->dtype));
  }
  SetShape(shape, &matrix);
  const int64_t words = matrix.cols, bits = matrix.affine.bits, group = matrix.affine.group_size;
  std::vector<int64_t> grouped = shape;
  // The tensor is not empty, so words is less than the file's size and 32 * words cannot overflow.
  matrix.cols = words * 32 / bits;
  grouped.back() = matrix.cols / group;
  if (words * 32 % bits != 0 || matrix.cols % group != 0 || scales.shape != grouped ||
      biases->shape != grouped) {
    Fail(where, ": words ", ShapeText(shape), " of ", bits, " bits in groups of ", group,
         " need scales and biases ", ShapeText(grouped), ", found ", ShapeText(scales.shape),
         " and ", ShapeText(biases->shape), "; check \"quantization\" in config.json");
  }
  matrix.dtype = scales.dtype;
  matrix.bytes = entry.view->bytes;
  matrix.scales = scales.bytes;
  matrix.biases = biases->bytes;
  return matrix;
}

// F32, F16 and BF16 arrive as plain matrices, as they do from safetensors.
StoredMatrix Checkpoint::State::FromGguf(const GgufTensor& tensor) const {
  if (!tensor.readable) {
    Fail(path.string(), ": tensor ", tensor.name, " has ggml type ", tensor.type_id,
         ", which this program cannot compute with; quantise the model to Q8_0, Q4_K or another "
         "common type");
  }
  StoredMatrix matrix;
  SetShape(tensor.shape, &matrix);
  matrix.bytes = tensor.bytes;
  matrix.ggml = tensor.type;
  switch (tensor.type) {
    case GgmlType::kF32:
      matrix.dtype = Dtype::kF32;
      break;
    case GgmlType::kF16:
      matrix.dtype = Dtype::kF16;
      break;
    case GgmlType::kBF16:
      matrix.dtype = Dtype::kBF16;
      break;
    default:
      matrix.kind = StoredMatrix::Kind::kGgml;
  }
  return matrix;
}

Checkpoint::Checkpoint() : state_(std::make_unique<State>()) {}
Checkpoint::Checkpoint(Checkpoint&&) noexcept = default;
Checkpoint& Checkpoint::operator=(Checkpoint&&) noexcept = default;
Checkpoint::~Checkpoint() = default;

Checkpoint Checkpoint::Open(const fs::path& path) {
  Checkpoint checkpoint;
  checkpoint.state_->path = path;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) {
    Fail(path.string(), ": no such file or folder; expected a model folder or a .gguf file");
  }
  if (fs::is_directory(status)) {
    checkpoint.state_->OpenFolder();
  } else {
    checkpoint.state_->OpenGguf();
  }
  return checkpoint;
}

Checkpoint::Layout Checkpoint::layout() const { return state_->layout; }
const fs::path& Checkpoint::path() const { return state_->path; }
const Json& Checkpoint::config() const { return state_->config; }
const Json& Checkpoint::generation_config() const { return state_->generation_config; }

const Gguf& Checkpoint::gguf() const {
  LEM_CHECK(state_->layout == Layout::kGguf);
  return state_->ggufs[0];
}

std::optional<StoredMatrix> Checkpoint::Find(std::string_view name) const {
  const State::Entry* entry = state_->FindEntry(name);
  if (!entry || state_->IsAffinePart(name)) return std::nullopt;
  return entry->tensor ? state_->FromGguf(*entry->tensor) : state_->FromView(name, *entry);
}

StoredMatrix Checkpoint::Get(std::string_view name) const {
  if (auto matrix = Find(name)) return *matrix;
  std::vector<std::string_view> all;
  for (const auto& [key, entry] : state_->entries) all.push_back(key);
  Fail(state_->path.string(), ": the model has no tensor ", name, NearNames(name, all));
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> result;
  for (const auto& [name, entry] : state_->entries) {
    if (!state_->IsAffinePart(name)) result.push_back(name);
  }
  return result;
}

uint64_t Checkpoint::weight_bytes() const {
  uint64_t total = 0;
  for (const auto& [name, entry] : state_->entries) {
    total += entry.tensor ? entry.tensor->bytes.size() : entry.view->bytes.size();
  }
  return total;
}

void Checkpoint::ReleasePages() const {
  for (const MappedFile& file : state_->mapped) file.ReleasePages();
}

std::string Checkpoint::ContentHash() const {
  Sha256 hash;
  for (const MappedFile& file : state_->mapped) {
    hash.Update(std::to_string(file.bytes().size()) +
                "\n");  // so that bytes cannot move between files
    // In pieces, so that a file of 15 GB is never in this process's memory as a whole.
    constexpr size_t kPiece = size_t{64} << 20;
    for (auto left = file.bytes(); !left.empty();
         left = left.subspan(std::min(kPiece, left.size()))) {
      hash.Update(left.first(std::min(kPiece, left.size())));
      file.ReleasePages();
    }
  }
  if (state_->layout == Layout::kFolder)
    hash.Update(state_->config.Dump(Json::Format{.sort_keys = true}));
  return hash.Hex();
}

}  // namespace lem
