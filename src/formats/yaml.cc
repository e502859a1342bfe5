// SPDX-License-Identifier: EUPL-1.2
// Builds the value from yaml-cpp's events, not from its nodes: events carry lines, and aliases can
// be bounded while they are copied.
#include "formats/yaml.h"

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "base/atomic_file.h"
#include "base/error.h"
#include "formats/yaml_scalar.h"

namespace lem {
namespace {

constexpr size_t kMaxText = size_t{1} << 22;
constexpr size_t kMaxCost = size_t{1} << 23;  // values and bytes of text, copies by alias included
constexpr int kMaxDepth = 64;
constexpr std::string_view kTag = "tag:yaml.org,2002:";

struct Measure {
  size_t cost = 1;
  int depth = 0;
};

Measure MeasureOf(const Json& value) {
  Measure all;
  const auto add = [&](const Json& child, size_t key_bytes) {
    const Measure own = MeasureOf(child);
    all.cost += own.cost + key_bytes;
    all.depth = std::max(all.depth, own.depth + 1);
  };
  if (value.IsString()) all.cost += value.string().size();
  if (value.IsArray()) {
    all.depth = 1;
    for (const Json& item : value.array()) add(item, 0);
  }
  if (value.IsObject()) {
    all.depth = 1;
    for (const auto& [key, item] : value.object()) add(item, key.size());
  }
  return all;
}

class Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::string_view where) : where_(where) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) FailAt(mark, "expected one document, found a second");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (WantsKey()) FailAt(mark, "expected a key, found nothing or null");
    Add(mark, anchor, Json());
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) FailAt(mark, "an alias stands inside the value it names");
    if (WantsKey()) FailAt(mark, "expected a key written out, found an alias");
    const Measure measure = MeasureOf(found->second);
    Pay(mark, measure.cost);
    if (static_cast<int>(open_.size()) + measure.depth > kMaxDepth) FailDepth(mark);
    Place(Json(found->second));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    if (WantsKey()) return SetKey(mark, text);
    Add(mark, anchor, Resolve(mark, tag, text));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, "seq", anchor, Json::MakeArray());
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, "map", anchor, Json::MakeObject());
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapEnd() override {
    Merge();
    Close();
  }

  [[noreturn]] void FailAt(const YAML::Mark& mark, const std::string& message) const {
    Fail(where_, ":", mark.line + 1, ":", mark.column + 1, ": ", message);
  }
  Json Take() { return std::move(result_); }

 private:
  struct Frame {
    Json value;
    YAML::anchor_t anchor;
    YAML::Mark mark;
    bool has_key = false;  // maps: the last member waits for its value
    std::set<std::string> keys;
  };

  [[noreturn]] void FailDepth(const YAML::Mark& mark) const {
    FailAt(mark, "nested more than " + std::to_string(kMaxDepth) + " deep");
  }

  bool WantsKey() const {
    return !open_.empty() && open_.back().value.IsObject() && !open_.back().has_key;
  }

  void Pay(const YAML::Mark& mark, size_t cost) {
    cost_ += cost;
    if (cost_ > kMaxCost)
      FailAt(mark, "the values and their aliases are larger than a configuration can be");
  }

  void SetKey(const YAML::Mark& mark, const std::string& key) {
    Pay(mark, 1 + key.size());
    if (!open_.back().keys.insert(key).second) FailAt(mark, "the key " + key + " appears twice");
    open_.back().value.object().emplace_back(key, Json());
    open_.back().has_key = true;
  }

  Json Resolve(const YAML::Mark& mark, const std::string& tag, const std::string& text) const {
    if (tag == "!" || tag == std::string(kTag) + "str") return Json(text);
    Json value = ResolveYamlScalar(text);
    if (tag == "?") return value;
    const bool is_float = tag == std::string(kTag) + "float" && value.IsNumber();
    if (is_float) return Json(value.number());
    if (tag == std::string(kTag) + "int" && value.IsInteger()) return value;
    if (tag == std::string(kTag) + "bool" && value.IsBool()) return value;
    if (tag == std::string(kTag) + "null") return Json();
    FailAt(mark,
           "the tag " + tag + " does not fit \"" + text.substr(0, 60) + "\" or is not supported");
  }

  void Add(const YAML::Mark& mark, YAML::anchor_t anchor, Json value) {
    const size_t cost = MeasureOf(value).cost;
    Pay(mark, cost);
    if (anchor != YAML::NullAnchor) {
      Pay(mark, cost);
      anchors_[anchor] = value;
    }
    Place(std::move(value));
  }

  void Open(const YAML::Mark& mark, const std::string& tag, const char* kind, YAML::anchor_t anchor,
            Json value) {
    if (WantsKey()) FailAt(mark, "expected a key, found a list or a map");
    if (tag != "?" && tag != "!" && !tag.empty() && tag != std::string(kTag) + kind) {
      FailAt(mark, "the tag " + tag + " is not supported");
    }
    if (open_.size() >= kMaxDepth) FailDepth(mark);
    Pay(mark, 1);
    open_.push_back({std::move(value), anchor, mark, false, {}});
  }

  void Close() {
    Frame frame = std::move(open_.back());
    open_.pop_back();
    if (frame.anchor != YAML::NullAnchor) {
      Pay(frame.mark, MeasureOf(frame.value).cost);
      anchors_[frame.anchor] = frame.value;
    }
    Place(std::move(frame.value));
  }

  void Place(Json value) {
    if (open_.empty()) {
      result_ = std::move(value);
    } else if (open_.back().value.IsArray()) {
      open_.back().value.Append(std::move(value));
    } else {
      open_.back().value.object().back().second = std::move(value);
      open_.back().has_key = false;
    }
  }

  // "<<: *base" (YAML 1.1): the members of base, or of a list of maps, that this map does not have.
  void Merge() {
    Frame& frame = open_.back();
    if (!frame.keys.contains("<<")) return;
    Json::Object& members = frame.value.object();
    const auto merge =
        std::find_if(members.begin(), members.end(), [](auto& m) { return m.first == "<<"; });
    const Json source = std::move(merge->second);
    members.erase(merge);
    const Json::Array bases = source.IsArray() ? source.array() : Json::Array{source};
    for (const Json& base : bases) {
      if (!base.IsObject()) FailAt(frame.mark, "<< expects a map or a list of maps");
      for (const auto& [key, value] : base.object()) {
        if (!frame.keys.insert(key).second) continue;
        Pay(frame.mark, MeasureOf(value).cost + key.size());
        members.emplace_back(key, value);
      }
    }
  }

  std::string_view where_;
  std::vector<Frame> open_;
  std::map<YAML::anchor_t, Json> anchors_;
  Json result_;
  size_t cost_ = 0;
  int documents_ = 0;
};

}  // namespace

Json ParseYaml(std::string_view text, std::string_view where) {
  if (text.size() > kMaxText) Fail(where, ": ", text.size(), " bytes, expected at most ", kMaxText);
  Builder builder(where);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    if (error.mark.is_null()) Fail(where, ": not valid YAML: ", error.msg);
    builder.FailAt(error.mark, "not valid YAML: " + error.msg);
  }
  return builder.Take();
}

Json ReadYamlFile(const std::string& path) { return ParseYaml(ReadTextFile(path, kMaxText), path); }

}  // namespace lem
