"""What Swagger UI says before the endpoints: which key goes where, and what to try first."""

__all__ = ["DESCRIPTION", "TAGS"]

DESCRIPTION = """\
**Two kinds of keys**, both entered at *Authorize*; `make run` prints one of each.

- The queue's key opens `POST /smartrouting` only: header `X-Benemen-APIKey`, or HTTP Basic.
- An administrator's key, or access token, opens everything under `/admin`: `Authorization: Bearer`.

**What to try, in this order**

1. *Webhook*: send the example as it is. 200 tells the queue where the call goes, 204 to leave it where it is.
2. *Decisions*: list the calls that were answered, and ask for one by its id to see why.
3. *Rules*: simulate a call that nobody made, with a caller of your choice.
4. *Rulesets*: make a draft of `current`, change it, check it, replay yesterday's calls, publish it, roll it back.
5. *Users*: find one and see what is missing, enable them, update the Enreach ids, disable them again.

Every error is a problem (RFC 9457): `type` for programs, `detail` for people, `errors` for each thing that is wrong.
"""

TAGS = [
    {"name": "Webhook", "description": "What the Enreach queue calls. Needs the queue's key."},
    {"name": "Decisions", "description": "What was answered to which call, and why."},
    {"name": "Rules", "description": "A call that nobody made: decision, answer and trace."},
    {"name": "Rulesets", "description": "Drafts, checks, publishing, revisions, shadows and calendars."},
    {"name": "Replays", "description": "What a ruleset would have done with calls of the past."},
    {
        "name": "Users",
        "description": "Who may use Voice, and what is missing for those who may not yet.",
    },
    {"name": "Access", "description": "Keys, sign-in, your own readiness, and the audit of what administrators did."},
    {"name": "Jobs", "description": "Work on many users, and how far it is."},
    {"name": "Operations", "description": "Alarms, fire drills, credentials of the webhook, and personal data."},
    {"name": "Probes", "description": "For monitoring; needs no key."},
]
"""The groups in the order of Swagger UI."""
