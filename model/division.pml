/* A shard that is divided (O13): words to the table, numbers, operations that are sent again. child.pml has the reads.
 *
 * That a log keeps what is committed, and that an owner of a lower epoch commits nothing any more, is log.pml's. Here a
 * log is one sequence with a commit index: a takeover keeps what is committed, and nothing else. Looked at is one key
 * that changes its shard: what was acknowledged for it, in which order, and whether an operation that is sent again
 * takes effect once. */
#include "common.pml"

#ifndef LMAX
#define LMAX 4                                  /* entries of the log that is divided */
#endif
#ifndef EPMAX
#define EPMAX 3
#endif
#ifndef CMAX
#define CMAX 2                                  /* writes of the shard that takes the key over */
#endif

#define NONE 0
#define WRITE 1                                 /* to the key */
#define OPERATION 2                             /* one with an id: its client sends it again */
#define SPLIT 3

byte kind[LMAX+1], at[LMAX+1];                  /* entries from 1 on, and their epochs */
byte count, commit;
byte epoch = 1;                                 /* of the owner, as the table has it */
byte lastEpoch, lastIndex;                      /* of the newest acknowledgement for the key */
byte i, j;

/* For an object (epoch, index) never goes down, whatever happens to its shard. */
inline acknowledge(e, x) {
  CLAIM(O13, e > lastEpoch || (e == lastEpoch && x > lastIndex));
  lastEpoch = e; lastIndex = x
}
inline append(k) { count++; kind[count] = k; at[count] = epoch }
inline find(k, found) {                         /* the last such entry, 0 if there is none */
  found = 0; i = 1;
  do :: i <= count -> if :: kind[i] == k -> found = i :: else fi; i++ :: else -> break od
}
inline takeover() {
  epoch++;
  do :: count > commit -> kind[count] = NONE; at[count] = 0; count-- :: break od
}

bool divided;                                   /* the table has a child */
bool childKnows;                                /* the operation, by what it has from the log */
bool childServed;
byte childEpoch, childIndex, childWrites;
byte toldEpoch, toldIndex;                      /* the owner's word to the table; it may outlive its sender */
byte done;                                      /* times that the operation took effect */
bool isNew;                                     /* the owner found the log as it is */
byte cut, known;

#ifdef REFUSE_LATE                              /* O13 broken: the key is refused when the table has the child */
#define REFUSED (divided)
#else
#ifdef FORGET_SPLIT                             /* O13 broken: a new owner goes by the table, not by the log */
#define REFUSED (isNew -> divided : cut > 0)
#else
#define REFUSED (cut > 0)
#endif
#endif

init {
  do
  :: atomic { count < LMAX -> find(SPLIT, cut);
       if :: !REFUSED -> append(WRITE) :: else fi }
  :: atomic { count < LMAX -> find(SPLIT, cut); find(OPERATION, known);
       if :: !REFUSED && known == 0 -> append(OPERATION) :: else fi }
  :: atomic { count < LMAX -> find(SPLIT, cut); if :: cut == 0 -> append(SPLIT) :: else fi }
  :: atomic { commit < count -> commit++;
       if :: kind[commit] == WRITE || kind[commit] == OPERATION ->
             if :: kind[commit] == OPERATION -> done++; CLAIM(I2, done <= 1) :: else fi;
             CLAIM(I1, !childServed);            /* one owner of a key */
             acknowledge(at[commit], commit)
          :: else fi }
  :: atomic { epoch < EPMAX -> takeover(); isNew = true }
  :: atomic { find(SPLIT, cut);
#ifdef TELL_EARLY                               /* O13 broken: the table hears of a split that is not committed */
       cut > 0 ->
#else
       cut > 0 && cut <= commit ->
#endif
       toldEpoch = epoch; toldIndex = cut }
  :: atomic { toldIndex > 0 && !divided && toldEpoch == epoch ->
       CLAIM(O13, toldIndex <= commit && kind[toldIndex] == SPLIT);    /* the child is made of an entry that stays */
       divided = true;
#ifdef CHILD_BEGINS_ANEW                        /* O13 broken: the child's log has numbers of its own */
       childEpoch = 1; childIndex = 0;
#else
       childEpoch = toldEpoch + 1; childIndex = toldIndex;
#endif
       find(OPERATION, known);
#ifdef CHILD_FORGETS                            /* O13 broken: the ids do not come with the keys */
       childKnows = false
#else
       childKnows = (known > 0 && known < toldIndex)
#endif
     }
  :: atomic { divided && childWrites < CMAX -> childWrites++; childIndex++; childServed = true;
       acknowledge(childEpoch, childIndex);
       REACHED(1, epoch == EPMAX) }
  :: atomic { divided && childWrites < CMAX && !childKnows -> childWrites++; childIndex++; childServed = true;
       childKnows = true; done++; CLAIM(I2, done <= 1);
       acknowledge(childEpoch, childIndex) }
  :: atomic { divided && childEpoch < EPMAX + 2 -> childEpoch++ }
  od
}
