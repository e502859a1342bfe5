// SPDX-License-Identifier: EUPL-1.2
// What expressions of a template evaluate to, with Python's rules. Values are small and copied
// freely: text, lists and dictionaries belong to the Arena of one rendering and never change once
// made (Hugging Face's sandbox forbids that too), so nothing can hold itself.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/json.h"

namespace lem::jinja {

struct Node;
struct Frame;
struct Value;
struct Dict;
struct Namespace;
struct Loop;
struct Macro;
struct Function;
using List = std::vector<Value>;

enum class Kind : uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInteger,
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kNamespace,
  kLoop,
  kMacro,
  kFunction,
};

struct Value {
  Kind kind = Kind::kUndefined;
  uint8_t depth = 0;    // levels of lists and dictionaries inside
  uint32_t weight = 1;  // about the bytes of its text: what printing or comparing it costs
  union {
    bool boolean;
    int64_t integer;
    double number;
    const std::string* text;  // kString; kUndefined: what was looked for, or null
    const List* list;         // kList, kTuple
    const Dict* dict;
    Namespace* space;
    const Loop* loop;
    const Macro* macro;
    const Function* function;
  };

  Value() : text(nullptr) {}
  static Value None();
  static Value Bool(bool value);
  static Value Integer(int64_t value);
  static Value Float(double value);

  bool IsUndefined() const { return kind == Kind::kUndefined; }
  bool IsString() const { return kind == Kind::kString; }
  bool IsSequence() const { return kind == Kind::kList || kind == Kind::kTuple; }
  bool IsInteger() const { return kind == Kind::kInteger || kind == Kind::kBool; }
  bool IsNumber() const { return IsInteger() || kind == Kind::kFloat; }
  int64_t AsInteger() const { return kind == Kind::kBool ? boolean : integer; }
  double AsNumber() const {
    return kind == Kind::kFloat ? number : static_cast<double>(AsInteger());
  }
};

struct Dict {
  std::vector<std::pair<Value, Value>> members;  // in insertion order

  const Value* Find(const Value& key) const;
  const Value* Find(std::string_view key) const;
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> members;
};

struct Loop {
  const List* items = nullptr;
  size_t index = 0;  // 0-based
};

struct Macro {
  const Node* node = nullptr;
  Frame* frame = nullptr;  // where it was defined
};

struct Function {
  std::string_view name;  // a literal
  bool is_method = false;
  Value self;  // of a method
};

// What an Arena throws beyond its limits; the evaluator, which knows the place, makes an Error of
// it.
struct ArenaLimit {
  std::string message;
};

// Owns everything of one rendering, within limits.
class Arena {
 public:
  explicit Arena(size_t limit) : limit_(limit) {}

  Value String(std::string text);
  Value StringView(const std::string* text);  // not owned; must outlive the rendering
  Value MakeList(List items);
  Value MakeTuple(List items);
  Value MakeDict(Dict dict);
  Value MakeNamespace(const Dict& dict);
  Value MakeFunction(Function function);
  Value MakeMacro(Macro macro);
  Loop* MakeLoop(Loop loop);
  Value Undefined(std::string what);
  Value FromJson(const Json& json);  // texts are not copied

  // Counts memory that is about to be taken elsewhere, too.
  void Charge(size_t bytes);

 private:
  // Lists share their items, so that a few steps could make one of endless text or depth.
  static void Weigh(const Value& item, Value* container);

  size_t limit_, used_ = 0;
  std::deque<std::string> strings_;
  std::deque<List> lists_;
  std::deque<Dict> dicts_;
  std::deque<Namespace> namespaces_;
  std::deque<Loop> loops_;
  std::deque<Macro> macros_;
  std::deque<Function> functions_;
};

const char* KindName(const Value& value);  // "a string", "a list", ...
std::string Describe(const Value& value);  // the same, with the name of what is undefined
bool IsTrue(const Value& value);
bool Equals(const Value& a, const Value& b);
// -1, 0, 1; false when the two cannot be ordered.
bool Compare(const Value& a, const Value& b, int* order);

std::string ToText(const Value& value);  // Python's str()
std::string Repr(const Value& value);    // Python's repr()
std::string FloatText(double value);     // Python's repr() of a float

// Python's json.dumps(value, ensure_ascii=False, indent=, sort_keys=). indent < 0: one line. False
// when the value (or one in it) has no JSON form; `what` then names it.
bool ToJson(const Value& value, int indent, bool sort_keys, std::string_view item_separator,
            std::string_view key_separator, std::string* out, std::string* what);

// Text of JSON with these characters as they are: what json.dumps(ensure_ascii=False) writes.
void AppendJsonString(std::string_view text, std::string* out);

}  // namespace lem::jinja
