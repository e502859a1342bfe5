// SPDX-License-Identifier: EUPL-1.2
// Templates as jinja2 renders them with trim_blocks and lstrip_blocks, and what stops a hostile
// one. The expected texts are jinja2 3.1.6's.
#include <gtest/gtest.h>

#include "tests/support/error_text.h"
#include "tokenizer/chat_template.h"

namespace lem {
namespace {

using testing::ErrorText;

std::string Render(std::string_view source) {
  static const Json messages =
      Json::Parse(R"([{"role":"user","content":"hi"},{"role":"bot","content":"yo","n":3}])", "m");
  ChatTemplate::Options options;
  options.extra = Json::Parse(
      R"({"l":[3,1,2,1],"d":{"b":2,"a":"x"},"s":"Hello World","u":"caf\u00e9 \ud83d\ude00x",
                                  "words":["b","A","c","a"]})",
      "extra");
  return ChatTemplate::Parse(source, "t").Render(messages, options);
}

std::string RenderError(std::string_view source) {
  return ErrorText([&] { Render(source); });
}

TEST(Jinja, Calculates) {
  EXPECT_EQ(Render("{{ 1 + 2 * 3 - 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2 ** 10 }} "
                   "{{ 1e16 }} {{ 0.1 + 0.2 }}"),
            "5.0 3 -4 2 1024 1e+16 0.30000000000000004");
  EXPECT_EQ(
      Render(
          "{{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }} {{ 1 == 1.0 }} {{ (1,2) == [1,2] }} {{ not 1 == 2 }}"),
      "True False True False True");
  EXPECT_EQ(
      Render("{{ 'a' ~ 1 ~ none ~ true ~ [1,'x'] ~ {'a': 1} }} {{ 'ab' * 3 }} {{ [1] * 2 + [2] }}"),
      "a1NoneTrue[1, 'x']{'a': 1} ababab [1, 1, 2]");
}

TEST(Jinja, SlicesByCharacters) {
  EXPECT_EQ(Render("{{ l[::-1] }} {{ l[1:] }} {{ l[:-1] }} {{ l[-2:] }} {{ l[100::-2] }} {{ "
                   "u[::-1] }} {{ u[3] }} {{ u[-1] }}"),
            "[1, 2, 1, 3] [1, 2, 1] [3, 1, 2] [2, 1] [1, 1] x\xF0\x9F\x98\x80 \xC3\xA9"
            "fac \xC3\xA9 x");
}

TEST(Jinja, KeepsWhiteSpaceAsItIsTold) {
  EXPECT_EQ(Render("a\n  {% if true %}\n  b\n  {% endif %}\nc\n"), "a\n  b\nc");
  EXPECT_EQ(Render("a\n  {%+ if true +%}\n  b\n  {%- endif -%}\nc"), "a\n  \n  bc");
  EXPECT_EQ(Render("{#- x -#}\n a {{- ' b ' -}} c {# d #}\ne"), "a b c e");
  EXPECT_EQ(Render("x {% raw %}{{ y }}{% endraw %}"), "x {{ y }}");
  EXPECT_EQ(Render("{% generation %}\nsaid\n{% endgeneration %}\n"), "said\n");
}

TEST(Jinja, Loops) {
  EXPECT_EQ(Render("{% for x in l if x < 3 %}{{ loop.index }}/{{ loop.length }}:{{ x }}{{ ',' if "
                   "not loop.last }}{% endfor %}"),
            "1/3:1,2/3:2,3/3:1");
  EXPECT_EQ(Render("{% for k, v in d.items() %}{{ k }}={{ v }};{% else %}none{% endfor %}{% for x "
                   "in [] %}{% else %}e{% endfor %}"),
            "b=2;a=x;e");
  EXPECT_EQ(Render("{% for x in l %}{% if x == 2 %}{% break %}{% endif %}{% if x == 3 %}{% "
                   "continue %}{% endif %}{{ x }}"
                   "{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('p', 'q') }}{% endfor %}"),
            "132q");
  EXPECT_EQ(Render("{% set n = 1 %}{% for x in l %}{% set n = n + x %}{{ n }}{% endfor %}{{ n }}"),
            "42321");
  EXPECT_EQ(Render("{% set ns = namespace(n=0) %}{% for x in l %}{% set ns.n = ns.n + x %}{% "
                   "endfor %}{{ ns.n }}"),
            "7");
}

TEST(Jinja, HasMacrosAndBlocks) {
  EXPECT_EQ(Render("{% macro m(a, b='y') %}[{{ a }}{{ b }}]{% endmacro %}{{ m(1) }}{{ m(1, b=2) "
                   "}}{{ m('x') | upper }}"),
            "[1y][12][XY]");
  EXPECT_EQ(Render("{% macro down(n) %}{{ n }}{% if n %}{{ down(n - 1) }}{% endif %}{% endmacro "
                   "%}{{ down(3) }}"),
            "3210");
  EXPECT_EQ(
      Render(
          "{% set t %}a{{ s }}{% endset %}{{ t | length }}{% set q | upper %}z{% endset %}{{ q }}"),
      "12Z");
  EXPECT_EQ(Render("{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}"), "3False");
}

TEST(Jinja, Filters) {
  EXPECT_EQ(Render("{{ ' x ' | trim }}|{{ s | replace('l', 'L') }}|{{ words | sort | join(',') "
                   "}}|{{ l | unique | list }}|{{ l | sum }}"),
            "x|HeLLo WorLd|A,a,b,c|[3, 1, 2]|7");
  EXPECT_EQ(Render("{{ messages | map(attribute='role') | list }} {{ messages | selectattr('n', "
                   "'defined') | list | length }} "
                   "{{ messages | rejectattr('role', 'equalto', 'user') | map(attribute='content') "
                   "| first }}"),
            "['user', 'bot'] 1 yo");
  EXPECT_EQ(Render("{{ x | default('d') }} {{ '' | default('e', true) }} {{ '3.7' | int }} {{ 'z' "
                   "| int(5) }} {{ 2.5 | round }} {{ 7 | round }}"),
            "d e 3 5 2.0 7");
  EXPECT_EQ(Render("{{ d | tojson }} {{ {'a': [1, {}]} | tojson(indent=2) }}"),
            "{\"b\": 2, \"a\": \"x\"} {\n  \"a\": [\n    1,\n    {}\n  ]\n}");
  EXPECT_EQ(Render("{{ d | dictsort }} {{ d | items | list }} {{ 'a\nb' | indent }} {{ \"it's\" | "
                   "list | last }}"),
            "[('a', 'x'), ('b', 2)] [('b', 2), ('a', 'x')] a\n    b s");
}

TEST(Jinja, TestsAndMethods) {
  EXPECT_EQ(
      Render("{{ 1 is number }} {{ s is string }} {{ {} is mapping }} {{ x is undefined }} {{ 4 is "
             "divisibleby 2 }} {{ 3 is in [3] }} {{ true is integer }} {{ 's' is not none }}"),
      "True True True True True True False True");
  EXPECT_EQ(
      Render(
          "{{ s.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'xxaxx'.strip('x') }} {{ "
          "s.startswith(('He', 'q')) }} {{ \"they're\".title() }} {{ '{} {x}'.format(1, x=2) }}"),
      "['Hello', 'World'] ['a', 'b,c'] a True They'Re 1 2");
  EXPECT_EQ(Render("{{ d.get('a') }} {{ d.get('q', 5) }} {{ d.keys() | list }} {{ d.q is defined "
                   "}} {{ messages[5] is defined }} {{ d['b'] }}"),
            "x 5 ['b', 'a'] False False 2");
}

TEST(Jinja, SaysWhereAndWhatIsWrong) {
  EXPECT_EQ(RenderError("a\n{{ 1 + }}"),
            "t: line 2, column 8: expected an expression, found }}; try a template of the model's "
            "own files");
  EXPECT_EQ(
      RenderError("{{ x.y }}"),
      "t: line 1, column 5: expected something that has \"y\", found \"x\", which is undefined");
  EXPECT_EQ(RenderError("\n  {{ 'a' + 1 }}"),
            "t: line 2, column 10: expected two values that \"+\" works on, found a string and an "
            "integer");
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"{% if true %}", "expected {% endif %}, found the end of the template"},
      {"{% include 'x' %}", "expected a tag that is known here"},
      {"{{ 'x' | nope }}", "expected a filter that is known here, found \"nope\""},
      {"{{ 1 is nope }}", "expected a test that is known here, found \"nope\""},
      {"{{ nope() }}", "expected a function that is known here, found \"nope\""},
      {"{{ l.append(1) }}", "found \"append\" of a list"},
      {"{{ 1 / 0 }}", "expected a divisor that is not 0"},
      {"{{ 'abc", "expected a closing quote"},
      {"{{ [1, 2) }}", "expected brackets that match"},
      {"{{ 1", "expected }} to close this tag"},
      {"{% for x in 5 %}{% endfor %}", "expected something to loop over, found an integer"},
      {"{% set a, b = [1] %}", "expected 2 values to unpack, found 1"},
      {"{{ 9223372036854775807 + 1 }}", "expected an integer of at most 64 bits"},
      {"{{ 99999999999999999999 }}", "expected a number of at most 64 bits"},
      {"{{ 'a' | upper(1) }}", "expected at most 0 arguments for upper"},
      {"{{ raise_exception('boo') }}", "the template refuses these messages: boo"},
      {"\xFF", "expected a template in UTF-8"},
  };
  for (const auto& [source, message] : cases) {
    EXPECT_NE(RenderError(source).find(message), std::string::npos) << source << "\n"
                                                                    << RenderError(source);
  }
}

TEST(JinjaLimits, StopBombs) {
  std::string nested, steps, deep_list = "{{ ", left = "{{ 1";
  for (int i = 0; i < 200; ++i) steps += "{{ '' }}";
  for (int i = 0; i < 300; ++i) nested += "{% if true %}";
  deep_list += std::string(100'000, '[') + std::string(100'000, ']') + " }}";
  for (int i = 0; i < 100'000; ++i) left += "+1";
  const std::vector<std::pair<std::string, const char*>> bombs = {
      {"{% for a in range(100000) %}" + steps + "{% endfor %}", "expected to finish within"},
      {"{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
       "MiB of values"},
      {"{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}", "levels of nested evaluation"},
      {"{% for a in range(100000) %}{% set y = 'x' * 100000 %}{% endfor %}", "MiB of values"},
      {"{% set x = 'y' * 1000000 %}{% for a in range(100000) %}{{ x }}{% endfor %}",
       "bytes of output"},
      {"{{ 'x' * 1000000000 }}", "a repetition of at most 64 MiB"},
      {"{{ range(1000000000) }}", "a range() of at most"},
      {"{% set ns = namespace(x=[]) %}{% for a in range(1000) %}{% set ns.x = [ns.x] %}{% endfor "
       "%}",
       "levels of lists inside lists"},
      {"{% set ns = namespace(x='ab') %}{% for a in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% "
       "endfor %}{{ ns.x }}",
       "MiB of text"},
      {"{% set ns = namespace(x='ab') %}{% for a in range(60) %}{% set ns.x = ns.x + ns.x %}{% "
       "endfor %}",
       "MiB of values"},
      {nested, "levels of nesting"},
      {deep_list, "levels of nesting"},
      {left + " }}", "levels of nesting"},
      {std::string(2 << 20, 'a'), "expected a template of at most"},
  };
  for (const auto& [source, message] : bombs) {
    EXPECT_NE(RenderError(source).find(message), std::string::npos)
        << source.substr(0, 100) << "\n"
        << RenderError(source).substr(0, 300);
  }
}

}  // namespace
}  // namespace lem
