"""Texts that would leave their place in a card, or the card in a browser, if anything let them.

Where a script of theirs ran, it would leave its trace in the window's `ran`.
"""

HOSTILE = (
    "# Heading\n\n- item\n\n> quote",
    "<script>window.ran = 1; alert(1)</script>",
    "<img src=x onerror='window.ran = 1'> ![remote](https://example.org/x.png)",
    "<svg onload='window.ran = 1'><script>window.ran = 1</script><a href='x'>y</a></svg>",
    "<iframe srcdoc='<script>parent.ran = 1</script>'></iframe><object data='x'><embed src='x'>",
    "<style>body { display: none }</style><div style='position: fixed; inset: 0'>over all</div>",
    "<base href='https://example.org/'><link rel='stylesheet' href='https://example.org/x.css'>",
    "<meta http-equiv='refresh' content='0; url=data:text/html,<script>window.ran = 1</script>'>",
    "<a href='javascript:window.ran = 1' onclick='window.ran = 1'>a</a> [b](javascript:ran=1)",
    "[c](data:text/html,<script>ran=1</script>) ![d](data:image/png;base64,iVBORw0KGgo=)",
    "<form action='https://example.org/'><input autofocus onfocus='window.ran = 1'></form>",
    "</details></table></main></body></html><h1>x</h1>",
    "<!-- /magpie-hub: t --> --> <!--",
    "---\nlicense: mit\n---\n",
    "{{ 7*7 }} {% include 'x' %} {# #}",
    "a | b | c\n| --- | --- |\n| d | e |",
    "```\n# out\n```\n~~~~\n``````\n`x` ``y`` ` z",
    "x" * 10_000,
    "before \u202eright to left",
    "zero\u200bwidth\u200d\u2060\ufeff",
)
