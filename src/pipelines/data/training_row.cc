// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/data/training_row.h"

#include "base/atomic_file.h"
#include "base/error.h"

namespace lem {
namespace {

std::vector<Turn> ReadTurns(const Json& row, const std::string& where) {
  std::vector<Turn> turns;
  if (const Json* messages = row.Find("messages")) {
    for (const Json& message : messages->AsArray(where + ": messages")) {
      turns.push_back({message.At("role", where).AsString(where + ": role"),
                       message.At("content", where).AsString(where + ": content")});
    }
    if (turns.empty()) Fail(where, ": expected messages, found an empty list");
  } else if (row.Has("prompt") && row.Has("completion")) {
    turns.push_back({"user", row.Find("prompt")->AsString(where + ": prompt")});
    turns.push_back({"assistant", row.Find("completion")->AsString(where + ": completion")});
  } else {
    Fail(where, ": expected \"messages\", or \"prompt\" and \"completion\"");
  }
  return turns;
}

bool Says(const Json& row, std::string_view key, std::string_view value) {
  const Json* found = row.Find(key);
  return found && found->IsString() && found->string() == value;
}

std::optional<bool> ReadBenign(const Json& row) {
  if (const Json* benign = row.Find("benign"); benign && benign->IsBool()) {
    return benign->boolean();
  }
  if (Says(row, "expect", "refuse") || Says(row, "kind", "refusal")) return false;
  if (Says(row, "expect", "answer") || Says(row, "kind", "safe-sounding")) return true;
  return std::nullopt;
}

std::string ReadId(const Json& row) {
  const Json* id = row.Find("id");
  if (!id) return "";
  return id->IsString() ? id->string() : id->Dump();
}

TrainingRow ReadTrainingRow(const std::string& path, int64_t line, std::string_view text) {
  TrainingRow conversation;
  conversation.file = path;
  conversation.line = line;
  conversation.raw = text;
  const std::string where = path + ":" + std::to_string(line);
  try {
    const Json row = Json::Parse(text, where);
    conversation.id = ReadId(row);
    conversation.turns = ReadTurns(row, where);
    conversation.benign = ReadBenign(row);
  } catch (const Error& e) {
    conversation.problem = e.what();
    if (conversation.problem.starts_with(where)) {
      conversation.problem.erase(0, conversation.problem.find(' ', where.size()) + 1);
    }
  }
  return conversation;
}

}  // namespace

std::string TrainingRow::TextOf(std::string_view role) const {
  std::string text;
  for (const Turn& turn : turns) {
    if (turn.role != role) continue;
    if (!text.empty()) text += "\n\n";
    text += turn.content;
  }
  return text;
}

std::vector<TrainingRow> ReadTrainingRows(const std::string& path) {
  const std::string text = ReadTextFile(path);
  std::vector<TrainingRow> conversations;
  int64_t line = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view row = std::string_view(text).substr(at, end - at);
    if (row.ends_with('\r')) row.remove_suffix(1);
    ++line;
    at = end + 1;
    if (row.find_first_not_of(" \t") == std::string_view::npos) continue;
    conversations.push_back(ReadTrainingRow(path, line, row));
  }
  if (conversations.empty()) Fail(path, ": expected at least one conversation, the file has none");
  return conversations;
}

}  // namespace lem
