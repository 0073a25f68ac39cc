"""Trains small tokenizers in the shapes that the model families have, and writes what the Rust
library makes of hard texts: fixtures/tokenizers/NAME.json {tokenizer, config, encoded, decoded};
parts.json has one case for each kind of part that a tokenizer.json can have.

Needs tokenizers: python test/numerics/make_tokenizers.py
"""

import json
import pathlib

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, trainers
from tokenizers import pre_tokenizers as pre
from tokenizers import processors

folder = pathlib.Path(__file__).parent / "fixtures" / "tokenizers"
folder.mkdir(parents=True, exist_ok=True)

CORPUS = [
    "The following are multiple choice questions about history. Answer: A",
    "A. Paris B. London C. Rome D. Berlin", "It's what they'll say, isn't it? I'd've thought so.",
    "In 1789 there were 12345 people; in 2024, 67 890.", "éèêë ñ ü ß straße façade naïve",
    "北京是中国的首都。请选择正确答案。", "русский текст и ещё немного", "مرحبا بالعالم",
    "def f(x):\n    return x ** 2\n\n\n# comment\r\n\ttabs", "   many    spaces     here   ",
    "the cat sat on the mat; the dog ran to the man, and then the rain came down",
]
HARD = [
    "", " ", "  ", "\n", "\n\n", " \n \n ", "\t\t a", "A", " A", "\nA", "A.", "(A)", "Answer: B",
    "A. v B. v C. v D. v", "hello world", " hello  world ", "It's, IT'S, 'S 'Ve don't DON'T",
    "\u017f '\u017f it'\u017f", "1", "12", "123", "1234567890", "3.14159", "٣٤٥ abc ٣", "²½Ⅷ ①②",
    "１２３ full", "a1b2c3", "\u0085x\u0085 y", "\ufeffx \ufeff", "\u00a0\u00a0x\u3000y", "a\u200db",
    "é e\u0301 Å \u212b ﬁ", "日本語のテキスト", "한국어 텍스트", "👨‍👩‍👧‍👦 🇫🇷 👍🏽", "𝒳 𠀀", "\x00\x01\x7f",
    "<|end|>", "a<|end|>b", " <|end|> ", "<|end|><|end|>", "<|end", "<s>", "x <s> y", "<unk>",
    "<|user|> hi <|user|>", "▁x ▁", "word▁word", "http://example.org/a_b?c=d&e=%20", "\\n \\t",
    "a\r\nb\rc\n\n\nd", "...!!!???", "----- === ***", "zzzzzzzzzzzzzzzz", "qxj" * 40,
    "The quick brown fox\njumps over 13 lazy dogs.\n\nAnswer: C", "İstanbul ǅ ß ẞ", "\u0bbf\u0bcd क्षि",
    "x" * 300, "<0x0A>", "\u2028x\u2029y\u000bz\u000c", "ａｂｃ", "🙂" * 20, "a  b   c    d",
]
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace("{1,3}", "")
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
# Mistral's since Nemo.
TEKKEN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# OpenAI's since GPT-4o.
ENDS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = TEKKEN.replace(f"{LOWER}+|", f"{LOWER}+{ENDS}|").replace(f"{LOWER}*|", f"{LOWER}*{ENDS}|")
SPECIAL = ["<unk>", "<s>", "</s>", "<|end|>"]


def byte_level(size, pieces, normalizer=None):
    tokenizer = Tokenizer(models.BPE())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pieces if not isinstance(pieces, list) else pre.Sequence(pieces)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS * 4, trainers.BpeTrainer(
        vocab_size=size, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=pre.ByteLevel.alphabet()))
    tokenizer.add_tokens([AddedToken("<|user|>", special=False, normalized=False)])
    return tokenizer


def smollm():
    return byte_level(420, [pre.Digits(individual_digits=True), pre.ByteLevel(add_prefix_space=False)])


def gpt2():
    tokenizer = byte_level(380, pre.ByteLevel(add_prefix_space=False))
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def gpt2_prefix():
    return byte_level(380, pre.ByteLevel(add_prefix_space=True))


def digit_runs():
    return byte_level(380, [pre.Digits(individual_digits=False), pre.ByteLevel(add_prefix_space=False)])


def llama3():
    tokenizer = byte_level(420, [
        pre.Split(Regex(LLAMA3), "isolated"), pre.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return tokenizer


def qwen2():
    return byte_level(420, [
        pre.Split(Regex(QWEN2), "isolated"), pre.ByteLevel(add_prefix_space=False, use_regex=False),
    ], normalizers.NFC())


def llama2():
    """As converted from SentencePiece: no pre-tokenizer, spaces as ▁, bytes for what is unknown."""
    text = " ".join(CORPUS).replace(" ", "▁")
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.train_from_iterator([text], trainers.BpeTrainer(vocab_size=240, show_progress=False))
    state = json.loads(trained.to_str())["model"]
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]
    vocab = {token: i for i, token in enumerate(tokens)}
    for token in sorted(state["vocab"], key=state["vocab"].get):
        vocab.setdefault(token, len(vocab))
    tokenizer = Tokenizer(models.BPE(
        vocab=vocab, merges=[tuple(m) for m in state["merges"]], unk_token="<unk>",
        byte_fallback=True, fuse_unk=True))
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>", "<|end|>"])
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return tokenizer


def words():
    vocab = {word: i for i, word in enumerate(
        ["<unk>", "<s>", "</s>", "<|end|>", ".", "a", "the", "Answer:", "A.", "B.", "v", "what", "is", "?"])}
    tokenizer = Tokenizer(models.WordLevel(vocab=vocab, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre.WhitespaceSplit()
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


for make in [smollm, gpt2, gpt2_prefix, digit_runs, llama3, qwen2, llama2, words]:
    tokenizer = make()
    encoded = [tokenizer.encode(text, add_special_tokens=False).ids for text in HARD]
    size = tokenizer.get_vocab_size()
    runs = [ids for ids in encoded if ids] + [[i] for i in range(0, size, 7)] + [[3, size - 1, 3], [size + 5]]
    result = {
        "tokenizer": json.loads(tokenizer.to_str()),
        "texts": HARD,
        "encoded": encoded,
        "special": tokenizer.encode("a b").ids,
        "decoded": [
            [ids, tokenizer.decode(ids, skip_special_tokens=False), tokenizer.decode(ids)] for ids in runs],
        "size": size,
    }
    text = json.dumps(result, ensure_ascii=True, separators=(",", ":"))
    (folder / f"{make.__name__}.json").write_text(text + "\n")
    print(make.__name__, size, len(text))


PART_TEXTS = [
    "", "Hello, World! 123", "  a  b ", "x\n\ny\tz", "\u0085x\u00a0y\ufeffz\u3000", "--a--b--", "ΑΣ İ",
    "foo_bar-٣٤ ②", "<s> a</s>b <x> c<y>d", "word<x>word <X> <x>y", "don't I'M we'LL", "北京 é e\u0301 ﬁ Å",
    "🙂👍🏽 a\u200bb", "$& $1", "   ", "\r\n \r\n", "a \u3000<x>\n  b <x>  <x>\u0085\ufeff a",
]
SPECIAL_IDS = [("<unk>", 0), ("<s>", 1), ("</s>", 2)]


def part_models():
    """Models that show what the words are (WordLevel) and join within them (BPE)."""
    first = [token for token, _ in SPECIAL_IDS]
    words = first + sorted(part_words() - set(first))
    bytes_ = [f"<0x{i:02X}>" for i in range(256)]
    few = ["▁", "a", "b", "x", "y", "w", "o", "r", "d", "-", "l", "e", "H", "W", "Ġ"]
    joined = [("▁", "a"), ("o", "r"), ("w", "or"), ("wor", "d"), ("l", "l"), ("-", "-"), ("H", "e"), ("x", "y")]
    merged = few + [a + b for a, b in joined]

    def bpe(**fields):
        vocab = first + (bytes_ if fields.get("byte_fallback") else []) + merged
        return {
            "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {token: i for i, token in enumerate(vocab)}, "merges": [list(pair) for pair in joined],
            **fields}

    return {
        "words": {"type": "WordLevel", "unk_token": "<unk>",
                  "vocab": {token: i for i, token in enumerate(words)}},
        "bpe": bpe(),
        "bpe-fused": bpe(fuse_unk=True),
        "bpe-dropping": bpe(unk_token=None),
        "bpe-bytes": bpe(byte_fallback=True, fuse_unk=True),
        # As transformers 5 writes Llama's.
        "bpe-bytes-alone": bpe(byte_fallback=True, fuse_unk=True, unk_token=None),
    }


def part_words():
    """What the cases cut the texts into, and each letter."""
    found = set("".join(PART_TEXTS)) - set(" \n\r\t")
    for model, part in parts():
        if model == "words":
            state = {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
                     **part, "model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": {"<unk>": 0}}}
            tokenizer = Tokenizer.from_str(json.dumps({**state, "added_tokens": []}))
            for text in PART_TEXTS:
                normal = tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text
                found |= {word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal)}
    return found


def parts():
    split = lambda regex: {
        "type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
    metaspace = lambda scheme, split: {
        "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}
    all_of = lambda *parts: {"type": "Sequence", "pretokenizers": list(parts)}
    digits = lambda alone: {"type": "Digits", "individual_digits": alone}
    words = {"type": "WhitespaceSplit"}
    bytes_ = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    # As the library wrote it in former versions.
    older = [{"type": "Metaspace", "replacement": "▁", **fields} for fields in [
        {"add_prefix_space": True}, {"str_rep": "▁", "add_prefix_space": True},
        {"add_prefix_space": True, "prepend_scheme": "first"},
        {"add_prefix_space": True, "prepend_scheme": "never"},
        {"add_prefix_space": False, "prepend_scheme": "never", "split": False}, {"prepend_scheme": "first"}]]
    pre_tokenizers = [
        *[metaspace(scheme, cut) for scheme in ["always", "first", "never"] for cut in [True, False]],
        *older, bytes_,
        *[split(regex) for regex in [LLAMA3, QWEN2, GPT2, TEKKEN, O200K]], words,
        all_of(digits(True), words), all_of(digits(False), words),
    ]
    normalizers = [{"type": "NFC"}, {"type": "NFD"}, {"type": "NFKC"}, {"type": "NFKD"}]
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    prepend = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, replace]}
    token = lambda content, **flags: {
        "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
        "special": False, **flags}
    added = [
        [token("<x>"), token("a")],
        [token("<x>", normalized=True), token("\ufb01", normalized=True)],
        [token("<x> c"), token("<x>"), token("  "), token("> c<y", normalized=True)],
        # As Phi's.
        [token("<x>", lstrip=True, rstrip=True), token("a", lstrip=True, normalized=True)],
        [token("<x>", rstrip=True), token("b", lstrip=True, rstrip=True), token("  ")],
    ]
    # Marks of SentencePiece's normalizer, and the first word's alone, beside tokens that are normalized.
    marked = [
        {"normalizer": prepend},
        {"pre_tokenizer": metaspace("first", False)},
        {"normalizer": replace, "pre_tokenizer": metaspace("first", False)},
    ]
    decoder = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
        {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    return [
        *[("words", {"pre_tokenizer": part}) for part in pre_tokenizers],
        *[("words", {"normalizer": part, "pre_tokenizer": words}) for part in normalizers],
        *[("words", {"added_tokens": tokens, "normalizer": {"type": "NFKC"}, "pre_tokenizer": words})
          for tokens in added],
        *[(model, {"pre_tokenizer": metaspace("first", True)}) for model in
          ["bpe", "bpe-fused", "bpe-dropping", "bpe-bytes", "bpe-bytes-alone"]],
        *[("bpe-bytes", {**part, "added_tokens": [token("<x>", normalized=True), token("d", normalized=True)]})
          for part in marked],
        ("bpe-bytes", {"normalizer": prepend, "added_tokens": [token("<x>", lstrip=True, rstrip=True)]}),
        ("bpe-bytes", {"decoder": decoder}),
        # Letters that stand for bytes and others, in tokens of the vocabulary and added ones.
        ("bpe-bytes", {"decoder": bytes_, "added_tokens": [
            token("\u00e9"), token("\u4e2d"), token("<\u0120>")]}),
    ]


def write_parts():
    models_ = part_models()
    cases = []
    for model, part in parts():
        size = len(models_[model]["vocab"])
        own = [{"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": True} for content, i in SPECIAL_IDS]
        known = models_[model]["vocab"]
        more, next_ = [], size
        for fields in part.get("added_tokens", []):
            in_vocabulary = fields["content"] in known
            more.append({"id": known[fields["content"]] if in_vocabulary else next_, **fields})
            next_ += not in_vocabulary
        state = {"normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
                 **part, "added_tokens": own + more}
        tokenizer = Tokenizer.from_str(json.dumps({"version": "1.0", "model": models_[model], **state}))
        encoded = [tokenizer.encode(text, add_special_tokens=False).ids for text in PART_TEXTS]
        # Bytes that begin a letter, end one, are a byte order mark; then all tokens that are none.
        cut = [[3 + byte for byte in run] for run in (
            [0xE4, 0xB8], [0xE4, 0xB8, 0xAD], [0xAD, 0x41], [0xEF, 0xBB, 0xBF], [0xF0, 0x9F, 0xC3, 0xA9])]
        runs = encoded + cut + [list(range(259, size + len(more)))]
        cases.append({
            "model": model, "parts": state, "encoded": encoded,
            "decoded": [[ids, tokenizer.decode(ids, skip_special_tokens=False)] for ids in runs]
            if part.get("decoder") else None})
    result = {"texts": PART_TEXTS, "models": models_, "cases": cases}
    (folder / "parts.json").write_text(json.dumps(result, ensure_ascii=False, separators=(",", ":")) + "\n")


write_parts()
