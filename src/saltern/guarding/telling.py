"""What a guard does and hears, in words for its log."""

from collections.abc import Iterator
from typing import NamedTuple

from saltern.guard.facts import Facts
from saltern.guard.knowledge import WITNESS
from saltern.guard.messages import Allow, Answer, Denied, Deny, GoOn, Granted, Lives, Message, No, Synchronised, Yes
from saltern.guarding.events import Event


class Told(NamedTuple):
    """Of what, and what is so of it; and the event that it is, if it is one."""

    subject: str
    words: str
    event: Event | None = None


def facts(before: Facts, after: Facts) -> Iterator[Told]:
    """What has changed in what a guard has proven and promised."""
    for node in sorted(after.met.keys() - before.met.keys()):
        yield Told(f"node {node}", "was seen for the first time since the boot of this node")
    for node in sorted(after.declared.keys() - before.declared.keys()):
        boot = after.declared[node].boot
        yield Told(
            f"node {node}", f"is proven dead, in its boot {boot}: what it ran may be started here", Event.NODE_DEAD
        )
    for node in sorted(before.declared.keys() - after.declared.keys()):
        yield Told(f"node {node}", "no longer counts as dead", Event.NODE_BACK)
    for domain in sorted(after.alone - before.alone):
        yield Told(
            f"data of {domain}", "are those of this node alone: the other copy counts as outdated", Event.DATA_ALONE
        )
    for domain in sorted(before.alone - after.alone):
        yield Told(f"data of {domain}", "are the same on both nodes, or no longer this node's alone", Event.DATA_SAME)


def sent(message: Message | Answer) -> Iterator[Told]:
    """What is asked of others. Of beats nothing is told."""
    match message:
        case Deny():
            words = f"is not heard any more; {WITNESS} is asked to answer it no longer"
            yield Told(f"node {message.node}", words, Event.NODE_LOST)
        case Allow():
            yield Told(f"node {message.node}", f"lives; {WITNESS} is asked to answer it again")
        case GoOn():
            yield Told(
                f"data of {message.domain}",
                f"are out of sight of the other copy; its node and {WITNESS} are asked to count that as outdated",
            )
        case Granted():
            words = "is marked as outdated" if message.given else "cannot be marked as outdated"
            yield Told(f"copy of {message.domain}", f"{words}, as its other node has asked")
        case Synchronised():
            yield Told(
                f"data of {message.domain}", f"are the same on both nodes, or are being made so; {WITNESS} is told"
            )


def heard(by: str, answer: Answer) -> Iterator[Told]:
    """What others have answered."""
    match answer:
        case Yes():
            yield Told(f"answers of {by}", "come: this node has a lease from there")
        case No(declared=True):
            yield Told(
                f"answers of {by}",
                "say that it has taken over from here; it answers again when nothing runs here any more",
                Event.GIVEN_UP,
            )
        case No():
            yield Told(
                f"answers of {by}",
                "say that this node was given up for lost; it is answered again when it runs nothing",
                Event.GIVEN_UP,
            )
        case Denied():
            yield Told(
                f"node {answer.node}", f"is answered no more by {WITNESS}, which has refusal {answer.refusal} for it"
            )
        case Lives():
            words = (
                "it hears it, has not listened for long enough, or has not heard that it was told the same as this node"
            )
            yield Told(WITNESS, f"refuses to give a node up for lost: {words}")
        case Granted(given=given):
            # It is asked at each beat, of each of them: with a subject of its own an answer is told once.
            words = "they may be written here alone" if given else "they may not be written here alone"
            yield Told(f"data of {answer.domain} as {by} has them", words)
