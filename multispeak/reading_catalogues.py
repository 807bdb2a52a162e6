"""What can be asked for by name: field names, reading types, statuses, templates of formattedBlocks."""

from headend.model.quality import STATUS_CODES
from multispeak.block_layouts import TEMPLATES_BY_NAME
from multispeak.calls import Answer, Call, Handler, ListAnswer
from multispeak.field_names import supported_field_names
from multispeak.formatted_blocks import BlockShape, template_block
from multispeak.mapping_v4 import ShapeV4
from multispeak.message_header import Paging
from multispeak.paging import last_received, no_place, page_size
from multispeak.reading_types import supported_reading_types
from multispeak.streaming import one_batch


def catalogue_handlers(version: str) -> dict[str, Handler]:
    """The operations that list names, in one version."""
    handlers: dict[str, Handler] = {"GetFormattedBlockTemplates": formatted_block_templates}
    if version == "3.0":
        return handlers | {"GetSupportedReadingTypes": reading_types}
    return handlers | {"GetSupportedFieldNames": field_names, "GetSupportedReadingStatusCodes": status_codes}


async def field_names(call: Call) -> Answer:
    """Every fieldName that a request may have."""
    return Answer(call.records["ArrayOfString"](string=supported_field_names()))


async def reading_types(call: Call) -> Answer:
    """Every readingType that a request may have."""
    return Answer(call.records["ArrayOfString"](string=supported_reading_types()))


async def status_codes(call: Call) -> Answer:
    """Every status that a value may have, with its meaning."""
    shape, entry = ShapeV4(call.records), call.records["readingStatusCodeEntry"]
    entries = [entry(description=meaning, readingStatusCode=shape.status_code(bit)) for bit, (_, meaning) in STATUS_CODES.items()]
    return Answer(call.records["readingStatusCodeList"](readingStatusCodeEntry=entries))


async def formatted_block_templates(call: Call) -> ListAnswer:
    """Every layout of formattedBlocks that has a name: a block without rows, by name."""
    token = last_received(call)
    names = list(TEMPLATES_BY_NAME)
    if token and token not in TEMPLATES_BY_NAME:
        raise no_place(token)
    begin = names.index(token) + 1 if token else 0
    told = names[begin : begin + page_size(call)]
    shape, template = BlockShape(call.records, call.version), call.records["formattedBlockTemplate"]
    objects = [
        template(
            objectID=name,
            utility=call.utility.utility_id,
            templateName=name,
            formattedBlock=template_block(shape, TEMPLATES_BY_NAME[name], call),
        )
        for name in told
    ]
    return ListAnswer(one_batch(objects), Paging(len(names) - begin - len(told), told[-1] if told else ""))
