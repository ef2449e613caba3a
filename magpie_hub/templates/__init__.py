"""From a model's own chat template to the texts that stand around a user's words.

    load                    derive
    model ──▶ TemplateSource ──▶ ChatTexts, stop token ids

A template knows nothing of engines: it yields texts, and others turn them into token ids.
"""
