"""Writes what transformers makes of chat templates in the styles that the model families have:
fixtures/chat_templates.json, a list of {name, config, tokenizer, cases}; each case has messages, the
whole text, its token ids, the mask of the assistant's tokens, and the generation prompt of its first
turn. The tokenizers are those of fixtures/tokenizers. And fixtures/jinja.json: {messages, given, cases},
each case a template and what it makes without and with a generation prompt.

Needs transformers and jinja2: python test/numerics/make_chat_templates.py
"""

import json
import pathlib

from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import render_jinja_template

fixtures = pathlib.Path(__file__).parent / "fixtures"

# A system message by default, line breaks behind each turn.
CHATML = """{%- if messages[0].role != 'system' %}
{{- '<|im_start|>system\\nYou answer questions.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.role == 'assistant' %}{% generation %}{{- message.content + '<|im_end|>' }}{% endgeneration %}
{{- '\\n' }}
{%- else %}{{- message.content + '<|im_end|>' + '\\n' }}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""

# A day in the system message, words trimmed, its own beginning.
LLAMA3 = """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{{- "<|start|>system<|stop|>\\n\\nToday Date: " + date_string + "\\n\\n<|eot|>" }}
{%- for message in messages %}
{{- "<|start|>" + message['role'] + "<|stop|>\\n\\n" }}
{%- if message.role == 'assistant' %}{% generation %}{{- message['content'] | trim + "<|eot|>" }}{% endgeneration %}
{%- else %}{{- message['content'] | trim + "<|eot|>" }}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<|start|>assistant<|stop|>\\n\\n" }}{%- endif %}"""

# Roles must alternate; a space before the answer; no generation prompt.
MISTRAL = """{{ bos_token }}{% for message in messages %}
{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
{%- endif %}
{%- if message['role'] == 'user' %}{{- '[INST] ' + message['content'] + ' [/INST]' }}
{%- else %}{{- ' ' }}{% generation %}{{- message['content'] | trim + eos_token }}{% endgeneration %}{%- endif %}
{%- endfor %}"""

# Markers that are no tokens; an end token and a line break.
ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\\n' }}{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}

{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""

# An empty thought before the last answer, none before earlier ones.
THINKING = """{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.role == 'assistant' and loop.last %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- if message.role == 'assistant' %}{% generation %}{{- message.content + '<|im_end|>' }}{% endgeneration %}
{%- else %}{{- message.content + '<|im_end|>' }}{%- endif %}
{{- '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""

STYLES = [
    ("chatml", CHATML, "smollm", ["<|im_start|>", "<|im_end|>"], {"eos_token": "<|im_end|>"}),
    ("llama3", LLAMA3, "llama3", ["<|start|>", "<|stop|>", "<|eot|>"],
     {"bos_token": "<s>", "eos_token": "<|eot|>"}),
    ("mistral", MISTRAL, "llama2", ["[INST]", "[/INST]"], {"bos_token": "<s>", "eos_token": "</s>"}),
    ("mistral-bytes", MISTRAL, "llama3", ["[INST]", "[/INST]"],
     {"bos_token": "<s>", "eos_token": "</s>"}),
    ("zephyr", ZEPHYR, "gpt2", [], {"bos_token": "<s>", "eos_token": "</s>"}),
    ("thinking", THINKING, "qwen2", ["<|im_start|>", "<|im_end|>"], {"eos_token": "<|im_end|>"}),
]

def turns(*contents):
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(contents)]

CONVERSATIONS = [
    turns("Which city lies on the Seine?\nA. Paris\nB. Rome\nAnswer:", "A. Paris"),
    turns("  spaces around  ", "\n B. London \n"),
    turns("北京 é \U0001f642", "C. 12345 ñ"),
    turns("A", "A"),
    turns("What is it?\n\n", "\n\nD. x\n\n"),
    turns("First?", "A. one", "Second?", "B. two\nBecause it says so."),
]


def main():
    made = []
    for name, template, base, special, tokens in STYLES:
        fixture = json.loads((fixtures / "tokenizers" / f"{base}.json").read_text())
        inner = Tokenizer.from_str(json.dumps(fixture["tokenizer"]))
        inner.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in special])
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, **tokens)
        tokenizer.chat_template = template
        cases = []
        for messages in CONVERSATIONS:
            dated = {"date_string": "26 Jul 2024"}
            text = tokenizer.apply_chat_template(messages, tokenize=False, **dated)
            encoded = tokenizer.apply_chat_template(
                messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True, **dated)
            cases.append({
                "messages": messages,
                "text": text,
                "ids": encoded["input_ids"],
                "mask": encoded["assistant_masks"],
                "prompt": tokenizer.apply_chat_template(
                    messages[:1], tokenize=False, add_generation_prompt=True, **dated),
            })
        made.append({
            "name": name,
            "config": {"chat_template": template, **tokens},
            "tokenizer": json.loads(inner.to_str()),
            "cases": cases,
        })
    (fixtures / "chat_templates.json").write_text(json.dumps(made, ensure_ascii=False))


# What is not given, what a loop forgets, how values are written and compared.
SNIPPETS = [
    "{{ tools }}|{{ documents }}|{{ add_generation_prompt }}|{{ bos_token }}|{{ pad_token }}|{{ sep_token }}",
    "{% if tools is not none %}T{% endif %}{% if documents is not none %}D{% endif %}{% if tools is defined %}d{% endif %}",
    "{% if tools == none %}T{% endif %}{% if documents != none %}D{% endif %}{% if enable_thinking == none %}e{% endif %}",
    "{% if enable_thinking is defined and enable_thinking is false %}a{% else %}b{% endif %}",
    "{% if enable_thinking is not none %}n{% endif %}{% if date_string is not defined %}x{% endif %}",
    "{% if not add_generation_prompt is defined %}x{% endif %}{% if add_generation_prompt == false %}F{% endif %}",
    "{% for m in messages %}{% if loop.first %}{% set x = 1 %}{% endif %}[{{ x }}]{% endfor %}",
    "{% set x = 0 %}{% for m in messages %}{% set x = x + 1 %}{{ x }}{% endfor %}={{ x }}",
    "{% set ns = namespace(x=0) %}{% for m in messages %}{% set ns.x = ns.x + 1 %}{{ ns.x }}{% endfor %}={{ ns.x }}",
    "{{ '' == false }}{{ '1' == 1 }}{{ 1 == true }}{{ none == false }}{{ none == nothing }}{{ true == true }}{{ messages[0].role != 'user' }}",
    "{{ messages[0].content is string }}{{ messages[0].name }}{{ messages[0].get('name', 'anon') }}",
    "{% generation %}{{ messages[1].content | trim }}{% endgeneration %}{{ none }}{{ true }}{{ 3 }}",
    "{% set m = 'q' %}{% for m in messages if m.role == 'user' %}{{ loop.index }}{{ m.role }}{% endfor %}{{ m }}",
    "{% for i in range(4, 0, -2) %}{{ i }}{% endfor %}{{ range(3) | list | length }}",
    "{{ ' \\na\\n '.lstrip('\\n') }}|{{ '\\n a \\n'.strip('\\n') }}|{{ 'a \\n'.rstrip('\\n') }}|{{ 'xax' | trim('x') }}|{{ messages[1].content.lstrip() | trim }}|",
    "{{ '\\ufeffa\\x1f\\x85 '.strip() }}|{{ '\\ufeff a\\u3000' | trim | length }}|{{ 'ab'.rstrip('👍b') }}",
    "a\r\n{% if true %}\r\nb{% endif %}\rc",
]


def write_snippets():
    messages = turns("Hi", " B. x\n", "More?")
    given = {"bos_token": "<s>", "eos_token": "</s>"}
    cases = [
        [template, *[render_jinja_template(
            [messages], chat_template=template, add_generation_prompt=generate, **given)[0][0]
            for generate in (False, True)]]
        for template in SNIPPETS]
    result = {"messages": messages, "given": given, "cases": cases}
    (fixtures / "jinja.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n")


main()
write_snippets()
