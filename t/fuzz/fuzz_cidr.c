/*
 * Ranges of addresses.  What is taken, with its prefix written out, matches its
 * own address.
 */

#include <stdlib.h>
#include <string.h>

#include "inlets_cidr.h"
#include "inlets_error.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct inlets_cidr  cidr;
    char               *text = malloc(size + 1);
    uint8_t             addr[16];

    if (text == NULL) {
        return 0;
    }

    if (size > 0) {
        memcpy(text, data, size);
    }

    if (inlets_cidr_parse(text, size, &cidr) == INLETS_OK) {
        memcpy(addr, cidr.addr, sizeof(addr));

        if (cidr.bits > 128
            || (cidr.bits >= 96 && !inlets_cidr_match(&cidr, addr)))
        {
            abort();
        }
    }

    free(text);

    return 0;
}
