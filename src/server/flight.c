#include "server/flight.h"

void flight_send(struct flight *flight, struct flight_picture picture)
{
	if (flight->n == FLIGHT_PICTURES) {
		flight->first++;
		flight->n--;
	}
	flight->pictures[(flight->first + flight->n++) % FLIGHT_PICTURES] = picture;
}

bool flight_land(struct flight *flight, uint32_t serial, struct flight_picture *ret_picture)
{
	for (unsigned i = 0; i < flight->n; i++) {
		const struct flight_picture *picture =
			&flight->pictures[(flight->first + i) % FLIGHT_PICTURES];

		if (picture->serial != serial)
			continue;
		*ret_picture = *picture;
		flight->first += i + 1;
		flight->n -= i + 1;
		return true;
	}
	return false;
}
