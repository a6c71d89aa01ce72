"""Why CreateTrainingJob did not create a job, and what to do about it.

What a refusal says decides what follows: the pool has no room, some other quota is full, no quota can ever hold the
placement, the request itself is wrong, or nobody knows. SageMaker's texts vary, so they are read for their numbers and
for the quota that they name, not for their sentences.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from spot_relay.domain.expressions import compile_later
from spot_relay.domain.sagemaker.quota import condense, names_instance_type, parse_quota
from spot_relay.domain.values import No, dataclass

if TYPE_CHECKING:
    from spot_relay.domain.sagemaker.job import Placement


class Refusal(StrEnum):
    """The kinds of refusal. The first ten are temporary, the others are permanent.

    ``QueuedBehind``, ``LimitReached`` and ``AwaitsTurn`` are Spot Relay's own: older runs wait for the same pool, the
    stack's limit on concurrent attempts is reached, or other launches come first.
    """

    THROTTLED = "Throttled"
    UNAVAILABLE = "Unavailable"
    UNRECOGNIZED = "Unrecognized"
    """An error that Spot Relay does not know."""
    QUOTA_FULL = "QuotaFull"
    """The pool's own quota has no room."""
    SHARED_QUOTA_FULL = "SharedQuotaFull"
    """A quota that spans pools has no room."""
    OTHER_QUOTA_FULL = "OtherQuotaFull"
    """Another quota has no room, such as one for processing jobs, or the message does not tell which."""
    QUEUED_BEHIND = "QueuedBehind"
    LIMIT_REACHED = "LimitReached"
    AWAITS_TURN = "AwaitsTurn"
    UNDESCRIBED = "Undescribed"
    """SageMaker did not say whether the job exists already, so it was not asked to create it."""
    QUOTA_TOO_SMALL = "QuotaTooSmall"
    """A quota's limit is below what the placement needs."""
    PLACEMENT_REJECTED = "PlacementRejected"
    """SageMaker does not run this job in this placement, whatever the quotas are."""
    NAME_TAKEN = "NameTaken"
    INVALID = "Invalid"

    @property
    def passes(self) -> bool:
        """Whether the same request may be accepted later."""
        return self.needs_room or self.backs_off or self is Refusal.AWAITS_TURN

    @property
    def backs_off(self) -> bool:
        """Whether the run tries again on its own."""
        return self.leaves_open or self in {Refusal.SHARED_QUOTA_FULL, Refusal.OTHER_QUOTA_FULL}

    @property
    def draws(self) -> bool:
        """Whether it draws on ``budgets.refusals``: SageMaker was asked to create the job, and did not."""
        return self.backs_off and self is not Refusal.UNDESCRIBED

    @property
    def leaves_open(self) -> bool:
        """Whether the job may exist nevertheless, from an earlier launch whose answer was lost."""
        return self in {Refusal.THROTTLED, Refusal.UNAVAILABLE, Refusal.UNRECOGNIZED, Refusal.UNDESCRIBED}

    @property
    def needs_room(self) -> bool:
        """Whether the job is known not to exist, and waits for its turn in the queue of its pool."""
        return self in {Refusal.QUOTA_FULL, Refusal.QUEUED_BEHIND, Refusal.LIMIT_REACHED}

    @property
    def closes_place(self) -> bool:
        """Whether the job can never run in this placement, but may in another one."""
        return self in {Refusal.QUOTA_TOO_SMALL, Refusal.PLACEMENT_REJECTED}


@dataclass(frozen=True)
class NotCreated(No):
    """No job was created; ``because`` is SageMaker's message, or our own."""

    refusal: Refusal


# What a message says that is not offered, and which part of the request it means.
_NOT_OFFERED = compile_later(
    r"\b(?:not|isn't|aren't|never)\s+(?:(?:currently|yet|been|be)\s+)*"
    r"(?:available|supported|offered|enabled|allowed|permitted|possible|compatible|provided|launched)\b"
    r"|\b(?:(?:does|do|can|will)(?:\s*not|n't)|can't|won't)\s+"
    r"(?:exist|support|offer|provide|have|run|train|work|be\s+(?:run|trained|used|distributed|paralleli[sz]ed))\b"
    r"|\bnot\s+(?:authorized|entitled)\s+to\s+use\b|\b(?:unsupported|unavailable|incompatible|disabled)\b|\bsupports?\s+only\b|\bonly\b.{1,60}\bsupported\b",
    re.IGNORECASE,
)
# What part of a placement is called in a requirement.
_PARTS = (
    r"(?:instances?|machines?|nodes?|hosts?|[cg]pus?|cuda|nvidia|neuron|trainium|accelerat\w+|spot|on[- ]demand"
    r"|distributed|parallel\w*)\b"
)
# In a validation error, what it supports alone or needs says as much. About a quota, it says how much fits.
_NARROWED = compile_later(
    r"\bonly\s+(?:be\s+)?(?:support|run|work|train|use|offer|available|allow)\w*"
    r"|\b(?:support|run|work|train|use|offer)\w*\b.{1,60}\bonly\b|\b(?:can|may)\s+only\b"
    r"|\bno\b.{1,60}\b(?:available|supported|offered|support)\b|\b(?:without|lacks?)\s+(?:\S+\s+)?support\b"
    r"|\b(?:requires?|needs?|expects?|must|has\s+to|at\s+least|(?:limited|restricted)\s+to|(?:designed|intended)\s+for)\s+"
    rf"(?:[^\s.;:]+\s+){{0,6}}?(?:\w+-)?{_PARTS}"
    rf"|\b{_PARTS}\s+(?:[^\s.;:]+\s+){{0,3}}?(?:is|are)\s+(?:required|needed|mandatory)\b",
    re.IGNORECASE,
)
_FOR_NOW = compile_later(
    r"\b(?:currently|temporarily|right\s+now|at\s+(?:this|the)\s+(?:time|moment))\b", re.IGNORECASE
)
_REGION = compile_later(r"\b(?:in|for|by)\s+(?:this|the|your|current)?\s*(?:aws\s+)?region\b", re.IGNORECASE)
_REGION_CODE = compile_later(
    r"\b(?:in|for|by)\s+(?:the\s+)?(?:aws\s+)?(?:region\s+)?['\"(]?[a-z]{2,3}(?:-[a-z]+){1,3}-\d\b", re.IGNORECASE
)
_SENTENCE_ENDS = compile_later(r"(?<=[.!?])\s+")

# Names that the user has chosen may contain anything: addresses, ARNs, images, and what follows the noun of a resource.
_CHOSEN_NAMES = compile_later(
    r"\b[a-z0-9+]+://\S+|\barn:[\w-]+:\S+|\b\d{12}\.dkr\.\S+"
    r"|\b(?:bucket|prefix|object|file|role|repository|image|key|channel|tag|subnet|experiment|trial)s?(?:\s+named)?[:=]?\s+"
    r"['\"\u2018\u201c`][^'\"\u2019\u201d`]*['\"\u2019\u201d`]"
    r"|\b(?:bucket|role|repository|channel|experiment|trial)s?(?:\s+named)?[:=]?\s+ml\.\S+",
    re.IGNORECASE,
)
# The path of a member that breaks the service's model: Value 'x' at 'resourceConfig.instanceType' failed to satisfy …
_BROKEN_MEMBER = compile_later(r"\bat\s+'(?P<path>[^']+)'\s+failed\s+to\s+satisfy", re.IGNORECASE)
_MEMBER_OF_PLACEMENT = compile_later(r"resourceConfig\.instance(Type|Count)|enableManagedSpotTraining", re.IGNORECASE)
# What the whole request says is the same in every placement.
_OF_REQUEST = compile_later(
    r"\bhyper[ -]?parameters?\b|\benvironment\s+(?:variable|map)s?\b|\binstance\s?groups?\b", re.IGNORECASE
)
_OF_PLACEMENT = compile_later(
    r"\binstance[\s_-]?(?:types?|counts?|sizes?|famil(?:y|ies))\b|\bnumber\s+of\s+instances\b", re.IGNORECASE
)
# These are about the placement if it does not offer them; an input mode or a metric that is not supported is not.
_OFFERED_BY_PLACEMENT = compile_later(
    r"\binstances?\b|\b(?:single|multi(?:ple)?|one|two|several|many)[-\s]?\s?(?:instance|machine|node|host)s?\b"
    r"|\bspot\b|\b[cg]pus?\b"
    r"|\baccelerat(?:ors?|ed\s+computing)\b|\bhardware\b|\b(?:cuda|nvidia|neuron|trainium|inferentia)\b"
    r"|\bdistributed\b|\bmachine\s+types?\b|\bnumber\s+of\s+(?:machines|nodes|hosts)\b|\bparalleli[sz]\w+"
    r"|\bparallel\s+training\b|\btrain\w*\s+(?:\S+\s+)?in\s+parallel\b|\b(?:data|model)[- ]parallel\w*",
    re.IGNORECASE,
)
# What lies in a region, too, but is the request's own.
_IN_REGION = compile_later(
    r"\b(?:s3|bucket|object|image|repository|ecr|kms|key|role|subnet|vpc|security|file\s?system|fsx|efs|lambda|logs?"
    r"|algorithm|model|package|experiment|trial|plan|tag|secret|channel|data|dataset|input|output|access|sts|token"
    r"|credential|network|endpoint|pipe\s+mode|fastfile|marketplace)s?\b",
    re.IGNORECASE,
)
# These are the request's own, whatever else the message names.
_OWN_MEMBER = compile_later(
    r"\bMax(?:Wait|Run|Pending)\w*Seconds\b|\b(?:StoppingCondition|CheckpointConfig|RoleArn|InputDataConfig|OutputDataConfig"
    r"|S3Uri|S3OutputPath|ContentType)\b|\bs3\s+(?:objects?|path|prefix|url|uri|location)\b|\bassume\s+(?:the\s+)?role\b"
    r"|\bcontent\s+types?\b|\binput\s+modes?\b",
    re.IGNORECASE,
)


def classify_quota(message: str, placement: Placement) -> Refusal:
    """Return what a ResourceLimitExceeded message means for a job in a placement."""
    quota = parse_quota(message)
    if quota is None:
        rejected = any(_denies_placement(sentence, placement) for sentence in _SENTENCE_ENDS.split(condense(message)))
        return Refusal.PLACEMENT_REJECTED if rejected else Refusal.OTHER_QUOTA_FULL
    if not quota.can_ever_fit:
        return Refusal.QUOTA_TOO_SMALL
    if quota.is_of(placement):
        return Refusal.QUOTA_FULL
    return Refusal.SHARED_QUOTA_FULL if quota.spans_pools else Refusal.OTHER_QUOTA_FULL


def classify_invalid(message: str, placement: Placement) -> Refusal:
    """Return whether a validation error concerns the placement alone, or the request wherever it runs."""
    message = condense(message)
    members = [found["path"] for found in _BROKEN_MEMBER.finditer(message)]
    if members:
        concerned = all(_MEMBER_OF_PLACEMENT.fullmatch(member) for member in members)
    else:
        concerned = _concerns_placement(_CHOSEN_NAMES.sub("", message), placement)
    return Refusal.PLACEMENT_REJECTED if concerned else Refusal.INVALID


def _denies_placement(sentence: str, placement: Placement) -> bool:
    """Whether a sentence says that the region does not have what the placement needs."""
    if not _NOT_OFFERED.search(sentence):
        return False
    named = names_instance_type(sentence, placement) or _REGION_CODE.search(sentence) is not None
    return (named and not _FOR_NOW.search(sentence)) or _REGION.search(sentence) is not None


def _concerns_placement(message: str, placement: Placement) -> bool:
    if _OF_REQUEST.search(message):
        return False
    if _OF_PLACEMENT.search(message) or names_instance_type(message, placement):
        return True
    if _OWN_MEMBER.search(message) or not (_NOT_OFFERED.search(message) or _NARROWED.search(message)):
        return False
    in_region = (_REGION.search(message) or _REGION_CODE.search(message)) and not _IN_REGION.search(message)
    return bool(in_region) or _OFFERED_BY_PLACEMENT.search(message) is not None


def advise(refusal: Refusal, message: str) -> str:
    """Return what a user has to change after a permanent refusal."""
    match refusal:
        case Refusal.QUOTA_TOO_SMALL:
            return f"Ask AWS to raise {_name_quota(message)} and resume the run, or ask for less."
        case Refusal.PLACEMENT_REJECTED:
            return "Submit the spec under another name, with a placement that SageMaker accepts for this job."
        case Refusal.OTHER_QUOTA_FULL | Refusal.SHARED_QUOTA_FULL:
            return f"Ask AWS to raise {_name_quota(message)}, or wait until less of it is in use, and resume the run."
        case Refusal.NAME_TAKEN:
            return (
                "Submit the spec under another name: SageMaker takes a job's name only once in an account and region."
            )
        case Refusal.INVALID:
            return "Correct what the message names and resume the run, or submit a corrected spec under another name."
        case Refusal.UNRECOGNIZED:
            return "Resume the run when the cause is gone, or submit a corrected spec under another name."
        case _:
            return "Resume the run when SageMaker answers again."


def _name_quota(message: str) -> str:
    quota = parse_quota(message)
    return (
        f"the service quota '{quota.name}'" if quota and quota.name else "the service quota that the message describes"
    )
