/*
 * Frames lent to two readers, as src/exchange/lending.c does it over two exchanges. How an exchange
 * wakes its reader is exchange.pml's; here a reader takes when it likes, however late.
 *
 *   writer: LENT times lends a buffer that is home to both readers, then recalls all; ROUNDS times.
 *   reader: takes what is fresh, and looks at it until it takes the next; the second one until it
 *           takes the one after that.
 *
 * Checked by tests/model/check.py: that a buffer with a reader is never lent anew, that one is always
 * home to be lent, however the readers stall, and that a recall brings all home.
 *
 * Each BREAK_… is a way to get it wrong, for the check to prove that it would notice.
 */

#ifdef BREAK_TOO_FEW
#define LOANS 4
#else
#define LOANS 5
#endif
#define NONE 7
#define ROUNDS 2
#define LENT 6
#define READERS 2
#define SLOT(reader, index) slot[(reader) * 4 + (index)]

/* Per reader: slots, which lies in the middle, and who has which. */
byte slot[8] = NONE;
byte middle[READERS] = 1;
bool fresh[READERS], recall[READERS], answered[READERS];
byte writer_index[READERS];
byte reader_index[READERS] = 2;
byte kept_index = 3; /* of the second reader, which keeps two */

/* The lender's count of slots that carry each loan. */
byte slots[LOANS];

byte index, loan, reader;

inline home(what)
{
	if
	:: what != NONE ->
#ifdef BREAK_FIRST_IS_HOME
		slots[what] = 0;
#else
		slots[what]--;
#endif
		/* What a reader looks at is not filled. */
		assert(slots[what] || (SLOT(0, reader_index[0]) != what &&
				       SLOT(1, reader_index[1]) != what && SLOT(1, kept_index) != what));
		what = NONE
	:: else
	fi
}

inline swap(r, new_fresh, new_recall)
{
	d_step {
		index = middle[r];
		middle[r] = writer_index[r];
		fresh[r] = new_fresh;
		recall[r] = new_recall;
		writer_index[r] = index;
		home(SLOT(r, index));
		index = 0
	}
}

inline lend()
{
	atomic {
		loan = 0;
		do
		:: loan < LOANS && slots[loan] -> loan++
		:: else -> break
		od;
		assert(loan < LOANS);
		slots[loan] = READERS
	}
	for (reader : 0 .. READERS - 1) {
		SLOT(reader, writer_index[reader]) = loan;
		swap(reader, true, false)
	}
	atomic { loan = 0; reader = 0 }
}

inline recall_once()
{
	for (reader : 0 .. READERS - 1) {
		swap(reader, true, true)
	}
	for (reader : 0 .. READERS - 1) {
		d_step { answered[reader] -> answered[reader] = false };
		swap(reader, false, false)
	}
}

inline recall_all()
{
	recall_once();
	recall_once();
	atomic {
		reader = 0;
		do
		:: loan < LOANS -> assert(!slots[loan]); loan++
		:: else -> break
		od;
		loan = 0
	}
}

active proctype writer()
{
	byte round, n;

	for (round : 1 .. ROUNDS) {
		n = 0;
		do
		:: n < LENT -> n++; lend()
		:: n == LENT -> break
		od;
		recall_all()
	}
}

active [READERS] proctype look()
{
	byte mine;
	bool was_recall;

end_asleep:
	do
	:: fresh[_pid - 1] ->
		d_step {
			mine = middle[_pid - 1];
			was_recall = recall[_pid - 1];
			if
			:: _pid == 1 -> middle[0] = reader_index[0]
			:: else -> middle[1] = kept_index; kept_index = reader_index[1]
			fi;
			fresh[_pid - 1] = false;
			recall[_pid - 1] = false;
			reader_index[_pid - 1] = mine;
			mine = 0;
			answered[_pid - 1] = was_recall;
			was_recall = false
		}
	od
}
