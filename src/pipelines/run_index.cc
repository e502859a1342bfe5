// SPDX-License-Identifier: EUPL-1.2
#include "pipelines/run_index.h"

#include <sqlite3.h>

#include <memory>
#include <optional>

#include "base/error.h"

namespace lem {
namespace {

namespace fs = std::filesystem;

constexpr char kTables[] = R"(
create table samples(key text, config text, model text, task text, item text, repeat integer,
  current integer, state text, problem text, question text, prompt text, reference text,
  fields text, response text, finish_reason text, prompt_tokens integer,
  generation_tokens integer, seconds real);
create table choices(key text, name text, text text, is_right integer, log_prob real,
  tokens integer, greedy integer);
create table judgements(key text, judge text, judge_config text, sample text, model text,
  task text, item text, repeat integer, rubric text, purpose text, attempt integer, state text,
  problem text, vals text, detail text, raw text, seconds real);
create table scores(model text, task text, item text, repeat integer, metric text, value real,
  state text, detail text);
)";
constexpr char kIndexes[] = R"(
create index samples_place on samples(model, task, item);
create index scores_place on scores(model, task, metric);
create index scores_item on scores(task, item);
)";

class Database {
 public:
  explicit Database(const fs::path& path) : path_(path.string()) {
    if (sqlite3_open(path_.c_str(), &db_) != SQLITE_OK) FailNow("opening");
    // Built aside and renamed when whole, so nothing is to be rolled back.
    Run("pragma journal_mode = off; pragma synchronous = off; begin");
  }
  ~Database() { sqlite3_close(db_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void Run(const char* sql) {
    if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) FailNow("writing");
  }
  [[noreturn]] void FailNow(const char* doing) const {
    Fail(path_, ": ", doing, " the index failed (", sqlite3_errmsg(db_),
         "); the answers and scores are not touched");
  }
  sqlite3* get() const { return db_; }

 private:
  std::string path_;
  sqlite3* db_ = nullptr;
};

class Insert {
 public:
  Insert(Database& db, const char* sql) : db_(db) {
    if (sqlite3_prepare_v2(db.get(), sql, -1, &statement_, nullptr) != SQLITE_OK) {
      db.FailNow("preparing");
    }
  }
  ~Insert() { sqlite3_finalize(statement_); }
  Insert(const Insert&) = delete;
  Insert& operator=(const Insert&) = delete;

  Insert& Text(std::string_view text) {
    sqlite3_bind_text64(statement_, ++column_, text.data(), text.size(), SQLITE_TRANSIENT,
                        SQLITE_UTF8);
    return *this;
  }
  Insert& Value(const Json& value) { return value.IsNull() ? Null() : Text(value.Dump()); }
  Insert& Integer(int64_t value) {
    sqlite3_bind_int64(statement_, ++column_, value);
    return *this;
  }
  Insert& Count(int64_t value) { return value < 0 ? Null() : Integer(value); }
  Insert& Real(std::optional<double> value) {
    if (!value) return Null();
    sqlite3_bind_double(statement_, ++column_, *value);
    return *this;
  }
  Insert& Null() {
    sqlite3_bind_null(statement_, ++column_);
    return *this;
  }
  void Done() {
    if (sqlite3_step(statement_) != SQLITE_DONE) db_.FailNow("writing");
    sqlite3_reset(statement_);
    column_ = 0;
  }

 private:
  Database& db_;
  sqlite3_stmt* statement_ = nullptr;
  int column_ = 0;
};

std::optional<double> Known(double seconds) {
  return seconds < 0 ? std::nullopt : std::optional<double>(seconds);
}

void AddSamples(Database& db, const RunFolder& run) {
  std::unordered_map<const Sample*, bool> current;
  for (const Sample* sample : run.samples()) current[sample] = true;
  Insert insert(db, "insert into samples values(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  Insert choice(db, "insert into choices values(?,?,?,?,?,?,?)");
  for (const Sample& s : run.all_samples()) {
    insert.Text(s.key).Text(s.config).Text(s.model).Text(s.task).Text(s.item).Integer(s.repeat);
    insert.Integer(current.count(&s) != 0).Text(StateName(s.state)).Text(s.problem);
    insert.Text(s.question).Text(s.prompt).Value(s.reference).Value(s.fields).Text(s.response);
    insert.Text(s.finish_reason).Count(s.prompt_tokens).Count(s.generation_tokens);
    insert.Real(Known(s.seconds)).Done();
    for (const ChoiceScore& c : s.choices) {
      choice.Text(s.key).Text(c.set).Text(c.text).Integer(c.right).Real(c.log_prob);
      choice.Integer(c.tokens).Integer(c.greedy).Done();
    }
  }
}

void AddJudgements(Database& db, const RunFolder& run) {
  Insert insert(db, "insert into judgements values(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  for (const Judgement& j : run.judgements()) {
    insert.Text(j.key).Text(j.judge).Text(j.judge_config).Text(j.sample).Text(j.model);
    insert.Text(j.task).Text(j.item).Integer(j.repeat).Text(j.rubric).Text(j.purpose);
    insert.Integer(j.attempt).Text(StateName(j.state)).Text(j.problem).Value(j.values);
    insert.Value(j.detail).Text(j.raw).Real(Known(j.seconds)).Done();
  }
}

void AddScores(Database& db, const RunFolder& run) {
  Insert insert(db, "insert into scores values(?,?,?,?,?,?,?,?)");
  for (const Score& s : run.scores()) {
    insert.Text(s.model).Text(s.task).Text(s.item).Integer(s.repeat).Text(s.metric);
    insert.Real(s.value).Text(StateName(s.state)).Value(s.detail).Done();
  }
}

}  // namespace

void RebuildIndex(const RunFolder& run) {
  const fs::path target = run.path() / "index.sqlite";
  const fs::path temporary = run.path() / "index.sqlite.tmp";
  std::error_code ignored;
  fs::remove(temporary, ignored);
  {
    Database db(temporary);
    db.Run(kTables);
    AddSamples(db, run);
    AddJudgements(db, run);
    AddScores(db, run);
    db.Run(kIndexes);
    db.Run("commit");
  }
  fs::rename(temporary, target);
}

}  // namespace lem
