"""lxml, pyyaml, regex, tiktoken, tokenizers."""

from __future__ import annotations

import io

from checks.registry import check, equal, in_threads, native, raises, true

SHEET = """
<s:stylesheet version="1.0" xmlns:s="http://www.w3.org/1999/XSL/Transform">
<s:template match="/"><n><s:value-of select="count(//b)"/></n></s:template>
</s:stylesheet>"""
SCHEMA = """
<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema">
<x:element name="a"><x:complexType><x:sequence>
<x:element name="b" type="x:integer" maxOccurs="unbounded"/>
</x:sequence></x:complexType></x:element></x:schema>"""
GRAMMAR = """
<element name="a" xmlns="http://relaxng.org/ns/structure/1.0">
<oneOrMore><element name="b"><text/></element></oneOrMore></element>"""
RULES = """
<schema xmlns="http://purl.oclc.org/dsdl/schematron"><pattern>
<rule context="a"><assert test="count(b) &lt; 3">too many</assert></rule>
</pattern></schema>"""
SENTENCES = [f"The quick brown fox number {n} jumps over the lazy dog." for n in range(200)]


@check("lxml")
def use_lxml() -> str:
    from lxml import etree, html, isoschematron, objectify

    native(etree, objectify)
    few, many = etree.XML("<a><b>1</b><b>2</b></a>"), etree.XML("<a><b>1</b><b>x</b><b/></a>")
    equal(few.xpath("sum(b)"), 3.0)
    equal(etree.tostring(etree.XSLT(etree.XML(SHEET))(many)), b"<n>3</n>")
    schema = etree.XMLSchema(etree.XML(SCHEMA))
    equal((schema.validate(few), schema.validate(many)), (True, False))
    with raises(etree.DocumentInvalid, "'x' is not a valid value"):
        schema.assertValid(many)
    equal(etree.RelaxNG(etree.XML(GRAMMAR)).validate(few), True)
    # Its style sheets and grammars are files beside the module, which libxml2 opens itself.
    rules = isoschematron.Schematron(etree.XML(RULES))
    equal((rules.validate(few), rules.validate(many)), (True, False))
    with raises(etree.XMLSyntaxError, "mismatch"):
        etree.XML("<a><b></a>")
    page = html.fromstring("<p>one<p>two <a href='/x'>link</a>")
    page.make_links_absolute("http://example.com/y/")
    equal(page.xpath("//a/@href"), ["http://example.com/x"])
    large = b"<r>" + b"<i k='v'>text</i>" * 20_000 + b"</r>"
    equal(sum(1 for _, node in etree.iterparse(io.BytesIO(large), tag="i")), 20_000)
    in_threads(lambda _: etree.fromstring(large).xpath("count(//i[@k='v'])"))
    equal(objectify.fromstring("<a><b>7</b></a>").b + 1, 8)

    def shout(context: object, nodes: list[str]) -> str:
        return nodes[0].upper()

    etree.FunctionNamespace("urn:own")["shout"] = shout
    equal(few.xpath("f:shout('x')", namespaces={"f": "urn:own"}), "X")
    canonical = etree.tostring(etree.XML("<a y='1' x='2'/>"), method="c14n")
    equal(canonical, b'<a x="2" y="1"></a>')
    return "libxml2 {}.{}.{}".format(*etree.LIBXML_VERSION)


@check("pyyaml")
def use_pyyaml() -> None:
    import yaml
    from yaml import _yaml

    native(_yaml)
    value = {"a": [1, 2.5, None, True], "text": "Grüße\n", "nested": {"deep": [{}]}}
    text = yaml.dump(value, Dumper=yaml.CSafeDumper, allow_unicode=True)
    equal(yaml.load(text, Loader=yaml.CSafeLoader), value)
    equal(yaml.load("&x [1]", Loader=yaml.CSafeLoader), [1])
    shared = yaml.load("- &x {a: 1}\n- *x\n", Loader=yaml.CSafeLoader)
    true(shared[0] is shared[1], "an alias is the same object")
    with raises(yaml.parser.ParserError, "line 1"):
        yaml.load("a: [1", Loader=yaml.CSafeLoader)
    with raises(yaml.constructor.ConstructorError, "could not determine a constructor"):
        yaml.load("!!python/object/apply:os.system [x]", Loader=yaml.CSafeLoader)
    equal(len(list(yaml.load_all("---\n1\n---\n2\n", Loader=yaml.CSafeLoader))), 2)
    long = yaml.dump([value] * 300, Dumper=yaml.CSafeDumper)
    in_threads(lambda _: yaml.load(long, Loader=yaml.CSafeLoader))


@check("regex")
def use_regex() -> None:
    import regex
    from regex import _regex

    native(_regex)
    equal(regex.findall(r"\p{Lu}\p{Ll}+", "Grüße An Alle"), ["Grüße", "An", "Alle"])
    equal(regex.search(r"(?b)(?:color){i<=1}(?= )", "a colour here").group(), "colour")
    equal(regex.fullmatch(r"\((?:[^()]|(?R))*\)", "(a(b)(c(d)))") is not None, True)
    equal(regex.sub(r"(?P<a>\w)(?P<b>\w)", r"\g<b>\g<a>", "abcd"), "badc")
    equal(
        regex.findall(r"\b\L<words>\b", "one two three", words=["one", "three"]), ["one", "three"]
    )
    equal(regex.search(r"(\w)+", "abc").captures(1), ["a", "b", "c"])
    equal(regex.split(r"(?V1)(?=b)", "abab"), ["a", "ba", "b"])
    with raises(regex.error, "missing )"):
        regex.compile("(a")
    with raises(TimeoutError):
        regex.findall(r"\w+ \w+", "ab cd " * 500_000, timeout=0.001)
    text = "word 123 " * 5_000
    found = in_threads(lambda _: len(regex.findall(r"\d+", text, concurrent=True)))
    equal(found, [5_000] * len(found))


@check("tiktoken")
def use_tiktoken() -> None:
    import tiktoken
    from tiktoken import _tiktoken

    native(_tiktoken)
    # A small vocabulary of our own: the published ones are downloaded.
    ranks = {bytes([byte]): byte for byte in range(256)}
    for pair in (b"th", b"the", b" the", b"qu", b"ick"):
        ranks[pair] = len(ranks)
    encoding = tiktoken.Encoding(
        "own", pat_str=r" ?\w+|\s+|[^\w\s]+", mergeable_ranks=ranks, special_tokens={"<end>": 999}
    )
    tokens = encoding.encode("the quick")
    equal((encoding.decode(tokens), tokens[0]), ("the quick", 257))
    equal(encoding.encode("Grüße <end>", allowed_special="all")[-1], 999)
    with raises(ValueError, "disallowed special token"):
        encoding.encode("<end>")
    with raises(KeyError):
        encoding.decode([5000])
    many = encoding.encode_batch(SENTENCES, num_threads=4)
    equal(encoding.decode_batch(many), SENTENCES)


@check("tokenizers")
def use_tokenizers() -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, tokenizers, trainers

    native(tokenizers)
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["[UNK]", "[PAD]"], show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    encoded = tokenizer.encode("The lazy fox")
    equal(encoded.tokens, ["the", "lazy", "fox"])
    equal(encoded.offsets, [(0, 3), (4, 8), (9, 12)])
    equal(tokenizer.decode(encoded.ids), "the lazy fox")
    tokenizer.enable_padding(pad_id=1, pad_token="[PAD]", length=32)
    batch = tokenizer.encode_batch(SENTENCES)
    equal({len(one.ids) for one in batch}, {32})
    again = Tokenizer.from_str(tokenizer.to_str())
    equal(again.encode("dog").ids, tokenizer.encode("dog").ids)
    with raises(Exception, "expected ident at line 1 column 2"):
        Tokenizer.from_str("no JSON")
    # Its expressions are run by a C library.
    split = pre_tokenizers.Split(__import__("tokenizers").Regex(r"\d+"), "isolated")
    equal([part for part, _ in split.pre_tokenize_str("a12b")], ["a", "12", "b"])
