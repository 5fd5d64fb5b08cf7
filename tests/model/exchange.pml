/*
 * The exchange of src/exchange/exchange.c, with its three threads as the pipeline runs them.
 *
 *   writer: publishes up to PUBLICATIONS times, then recalls everything; ROUNDS times, the last
 *           recall left out or not.
 *   reader: sleeps on its eventfds; drains, then takes; while there is no demand it leaves what
 *           lies ready, unless that is a recall.
 *   viewer: makes demand come and go, and stay or not.
 *
 * A loan is the number of its publication, so its age is known; 0 is an empty slot. An eventfd is a
 * bit. Checked by tests/model/check.py: the assertions below; that only the states marked end_ can
 * be the last ones; and the two ltl properties, each thread being fair.
 *
 * Memory orders are beyond spin: it sees every interleaving of sequentially consistent steps. The
 * stress test under ThreadSanitizer is their check.
 *
 * Each BREAK_… is a way to get the protocol wrong, for the check to prove that it would notice.
 */

#ifndef PUBLICATIONS
#define PUBLICATIONS 3
#endif
#define ROUNDS 2
#define LOANS  (PUBLICATIONS * ROUNDS)

/* the slots, and the word in the middle */
byte slot[3];
byte middle = 1;
bool fresh, recall;

/* who has which slot outside the middle; each is written by its owner only */
byte writer_index = 0, reader_index = 2;

/* eventfds */
bool fresh_fd, returned_fd, demand_fd;

bool demand;

/* the ledger, for the assertions */
bool out[LOANS + 1];
byte n_out;
byte published; /* newest number so far */
byte taken;	/* newest number the reader saw */
bool recalling; /* the writer waits for an answer */

#define ONE_OWNER_EACH                                                                             \
	assert(writer_index != middle && reader_index != middle && writer_index != reader_index)

/* The writer's atomic exchange. */
inline swap_writer(new_fresh, new_recall)
{
#ifdef BREAK_TWO_STEPS
	index = middle;
	was_fresh = fresh;
	d_step {
#else
	d_step {
		index = middle;
		was_fresh = fresh;
#endif
		middle = writer_index;
		fresh = new_fresh;
		recall = new_recall;
		writer_index = index;
		index = 0;
		ONE_OWNER_EACH;
	}
}

/* What came back goes home, if anything. */
inline settle()
{
	d_step {
		if
		:: slot[writer_index] ->
			assert(out[slot[writer_index]]);
			out[slot[writer_index]] = false;
			n_out--;
			slot[writer_index] = 0
		:: else
		fi
	}
}

inline publish()
{
	d_step {
		assert(!slot[writer_index]);
		published++;
		out[published] = true;
		n_out++;
		assert(n_out <= 3);
	}
	slot[writer_index] = published;
	swap_writer(true, false);
	if
#ifdef BREAK_SIGNAL_LATER
	:: was_fresh -> fresh_fd = true
#else
	:: !was_fresh -> fresh_fd = true
#endif
	:: else
	fi;
	settle()
}

inline recall_all()
{
	recalling = true;
	swap_writer(true, true);
#ifdef BREAK_RECALL_SKIPS
	if
	:: !was_fresh -> fresh_fd = true
	:: else
	fi;
#else
	fresh_fd = true;
#endif
	settle();

	/* Sleep; spin reports it as an invalid end state if nobody ever answers. */
	d_step { returned_fd -> returned_fd = false };
	recalling = false;
	swap_writer(false, false);
	settle();
	assert(n_out == 0)
}

active proctype writer()
{
	bool was_fresh;
	byte round, n, index;

	for (round : 1 .. ROUNDS) {
		n = 0;
		do
		:: n < PUBLICATIONS -> n++; publish()
		:: break
		od;
		if
		:: recall_all()
		:: round == ROUNDS /* end with what was published still there */
		fi
	}
}

/* Read what the reader holds: it must be newer than before, and must stay as it is. */
inline inspect()
{
	seen = slot[reader_index];
	if
	:: seen ->
		assert(seen > taken);
		assert(out[seen]);
		taken = seen;
		assert(slot[reader_index] == seen)
	:: else
	fi;
	seen = 0
}

inline take()
{
	if
#ifdef BREAK_TAKE_STALE
	:: true ->
#else
	:: fresh ->
#endif
		d_step {
			index = middle;
			was_recall = recall;
			middle = reader_index;
			fresh = false;
			recall = false;
			reader_index = index;
			index = 0;
			ONE_OWNER_EACH;
		}
		if
		:: was_recall -> returned_fd = true
		:: else
		fi;
		was_recall = false;
		inspect()
#ifndef BREAK_TAKE_STALE
	:: else
#endif
	fi
}

/* Drain each eventfd by itself, as two reads do. */
inline drain()
{
	fresh_fd = false;
	demand_fd = false
}

active proctype reader()
{
	byte index, seen;
	bool was_recall;

end_asleep:
	do
	:: fresh_fd || demand_fd ->
#ifndef BREAK_DRAIN_LAST
		drain();
#endif
		/* Two loads, in this order. */
		if
		:: demand -> take()
		:: else ->
			if
			:: recall -> take()
			:: else
			fi
		fi;
#ifdef BREAK_DRAIN_LAST
		drain();
#endif
	od
}

active proctype viewer()
{
	byte visit;

	for (visit : 1 .. 2) {
		if
		:: demand = true; demand_fd = true
		:: break
		fi;
		if
		:: demand = false
		:: break
		fi
	}
}

/*
 * When everybody has come to rest (each is asleep or has ended) nothing that is wanted lies
 * untaken. A lost wake-up is such a rest.
 */
active proctype rest()
{
end_watching:
	timeout -> assert(!(demand && fresh) && !recall && !recalling)
}

/* A recall is always answered. */
ltl recall_is_answered { [] (recalling -> <> !recalling) }

/* While there is demand, the reader comes to see the newest. */
ltl wanted_frame_is_taken { [] ((demand && fresh) -> <> (!fresh || !demand)) }
