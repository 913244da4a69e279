"""LiteLLM's generic guardrail: what a gateway sends before and after a call of a language model, and what it reads.

Source: BerriAI/litellm 1.110.2, litellm/types/proxy/guardrails/guardrail_hooks/generic_guardrail_api.py and
litellm/proxy/guardrails/guardrail_hooks/generic_guardrail_api/.
"""
