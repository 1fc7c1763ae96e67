"""The classes in Python are those of the message."""

from twin_common.core.object_class import CLASS_NAMES, ObjectClass
from twin_msgs.msg import ObjectClass as Message


def test_classes_are_those_of_the_message() -> None:
    for item in ObjectClass:
        assert getattr(Message, item.name) == item
    assert len(ObjectClass) == Message.COUNT == len(CLASS_NAMES)
    assert CLASS_NAMES[Message.SCOOTER] == "scooter"
