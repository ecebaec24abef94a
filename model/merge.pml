/* Two neighbours that become one shard (O13, as built: decision 12).
 *
 * The table plans a merge. The owner of both writes an entry into each log that freezes its shard for that plan. When
 * every replica has all of both logs, it asks the table to merge them; the command names the plan, both epochs and both
 * last indexes, and may arrive at any later time, whoever owns the shards by then. A plan may be called off: then the
 * owner, when it has heard of that, thaws by another entry. The merged shard begins above both epochs and both indexes.
 *
 * As in division.pml a log is one sequence with a commit index, and log.pml is why that can be had. Of its three
 * replicas the owner has all of it, the others have prefixes: near is the longer, far the shorter. A takeover goes on
 * with the old owner's log or, if that is gone, with the longer of the two others: entries are lost with their owner.
 *
 * Looked at is one key of the right shard, and an operation on it that its client sends again until it is answered. */
#include "common.pml"

#ifndef LMAX
#define LMAX 3                                  /* entries of a log */
#endif
#ifndef EPMAX
#define EPMAX 2
#endif
#ifndef PMAX
#define PMAX 1                                  /* plans */
#endif
#define CMAX 2                                  /* writes of the merged shard */

#define NONE 0
#define WRITE 1                                 /* to the key */
#define OPERATION 2                             /* one with an id */
#define BARRIER 3
#define THAW 4
#define FREEZE 5                                /* and the plan */

typedef Side {
  byte kind[LMAX+1], at[LMAX+1];                /* entries from 1 on, and their epochs */
  byte count, commit, near, far;
  byte epoch;                                   /* of the owner, as the table has it */
  byte sees                                     /* the plan, as the owner has it from the table */
}
Side side[2];                                   /* left, right */
byte plan, plans;                               /* of the table; all that there ever were */
byte saidPlan, saidEpoch[2], saidIndex[2];      /* the owner's command to merge, on its way */
bool merged;
byte newEpoch, newIndex, newWrites;
bool newKnows;                                  /* the operation */
byte done;                                      /* times that the operation took effect */
byte lastEpoch, lastIndex;                      /* of the newest acknowledgement for the key */
byte s, i, frozen[2], known;                    /* scratch, zero between steps */

/* For an object (epoch, index) never goes down, whatever happens to its shard. */
inline acknowledge(e, x) {
  CLAIM(O13, e > lastEpoch || (e == lastEpoch && x > lastIndex));
  lastEpoch = e; lastIndex = x
}
inline append(x, k) { side[x].count++; side[x].kind[side[x].count] = k; side[x].at[side[x].count] = side[x].epoch }
inline cut(x, length) {
  do
  :: side[x].count > length -> side[x].kind[side[x].count] = NONE; side[x].at[side[x].count] = 0; side[x].count--
  :: else -> break
  od
}
/* For which plan each shard is frozen, by what its owner has appended; whether the operation is in the log. */
inline look() { d_step {
  for (i : 1 .. LMAX) {
    if :: side[0].kind[i] >= FREEZE -> frozen[0] = side[0].kind[i]-FREEZE :: side[0].kind[i] == THAW -> frozen[0] = 0
       :: else fi;
    if :: side[1].kind[i] >= FREEZE -> frozen[1] = side[1].kind[i]-FREEZE :: side[1].kind[i] == THAW -> frozen[1] = 0
       :: else fi;
    if :: side[1].kind[i] == OPERATION -> known = 1 :: else fi
  } } }
inline rest() { d_step { s = 0; i = 0; known = 0; frozen[0] = 0; frozen[1] = 0 } }
/* A command that the table would refuse is forgotten, which only makes states alike. */
inline forget() { d_step {
  saidPlan = 0; saidEpoch[0] = 0; saidEpoch[1] = 0; saidIndex[0] = 0; saidIndex[1] = 0 } }
#define ROOM(x) (side[x].count < LMAX)

#ifdef FREEZE_TOLD_EARLY                        /* O13 broken: a shard is ready when its owner has written the entry */
#define REACHED_ALL(x) true
#else
#ifdef MERGE_BY_MAJORITY                        /* O13 broken: it is ready when a majority has all */
#define REACHED_ALL(x) (side[x].commit == side[x].count)
#else
#define REACHED_ALL(x) (side[x].commit == side[x].count && side[x].far == side[x].count)
#endif
#endif
#ifdef OTHER_FREEZE                             /* O13 broken: frozen is frozen, for whichever plan */
#define FROZEN_FOR(x, p) (frozen[x] > 0)
#else
#define FROZEN_FOR(x, p) (frozen[x] == (p))
#endif
#ifdef MERGE_ANY_LEFT                           /* O13 broken: the table asks for the right epoch only */
#define EXPECTS(x) ((x) == 0 || saidEpoch[x] == side[x].epoch)
#else
#ifdef MERGE_ANY_RIGHT                          /* O13 broken: the table asks for the left epoch only */
#define EXPECTS(x) ((x) == 1 || saidEpoch[x] == side[x].epoch)
#else
#define EXPECTS(x) (saidEpoch[x] == side[x].epoch)
#endif
#endif
#ifdef MERGE_ANY_PLAN                           /* O13 broken: the table does not ask whether the plan was called off */
#define PLANNED (saidPlan > 0)
#else
#define PLANNED (saidPlan > 0 && saidPlan == plan)
#endif

init {
  side[0].epoch = 1; side[1].epoch = 1;
  do
  /* ---- The owners; one that has not heard of the merge goes on. */
  :: atomic { ROOM(1) -> look();
       if
#ifdef WRITE_FROZEN                             /* O13 broken: a frozen shard takes writes */
       :: append(1, WRITE)
#else
       :: frozen[1] == 0 -> append(1, WRITE)
#endif
       :: frozen[1] == 0 && !known -> append(1, OPERATION)
       :: else
       fi; rest() }
  :: atomic { if :: !merged -> s = 0 :: s = 1 fi; look();
       if
       :: ROOM(s) && frozen[s] == 0 && side[s].sees > 0 -> append(s, FREEZE+side[s].sees)
#ifdef THAW_UNASKED                             /* O13 broken: the owner does not ask the table first */
       :: ROOM(s) && frozen[s] > 0 -> append(s, THAW)
#else
       :: ROOM(s) && frozen[s] > 0 && side[s].sees != frozen[s] -> append(s, THAW)
#endif
       :: !merged -> side[s].sees = plan
       :: else
       fi; rest() }
  :: atomic { if :: !merged -> s = 0 :: s = 1 fi; /* replicas follow, entries are committed */
       if
       :: side[s].near < side[s].count -> side[s].near++
       :: side[s].far < side[s].near -> side[s].far++
       :: side[s].commit < side[s].near && side[s].at[side[s].near] == side[s].epoch ->
            side[s].commit++; i = side[s].commit;
            if :: side[s].kind[i] == WRITE || side[s].kind[i] == OPERATION ->
                 if :: side[s].kind[i] == OPERATION -> done++; CLAIM(I2, done <= 1) :: else fi;
                 CLAIM(I1, !merged);             /* one owner of a key */
                 acknowledge(side[s].at[i], i)
               :: else fi
       :: else
       fi; rest() }
  :: atomic { if :: s = 0 :: s = 1 fi;           /* another owner, perhaps the node of the old one again */
       if
       :: !merged && side[s].epoch < EPMAX && ROOM(s) ->
            side[s].epoch++;
            if
            :: skip
            :: side[s].near = side[s].count
            :: side[s].far = side[s].near; side[s].near = side[s].count
            :: true -> cut(s, side[s].near)
            :: true -> cut(s, side[s].near); side[s].far = side[s].near
            fi;
            append(s, BARRIER); side[s].sees = plan;
#if !defined(MERGE_ANY_LEFT) && !defined(MERGE_ANY_RIGHT)
            forget()
#endif
       :: else
       fi; rest() }
  :: atomic { look();
       if :: side[0].sees > 0 && FROZEN_FOR(0, side[0].sees) && FROZEN_FOR(1, side[0].sees) &&
             REACHED_ALL(0) && REACHED_ALL(1) ->
               saidPlan = side[0].sees;
               for (i : 0 .. 1) { saidEpoch[i] = side[i].epoch; saidIndex[i] = side[i].count }
          :: else
       fi; rest() }
  /* ---- The table */
  :: atomic { !merged && plan == 0 && plans < PMAX -> plans++; plan = plans }
  :: atomic { !merged && plan > 0 -> plan = 0;
#ifndef MERGE_ANY_PLAN
       forget()
#endif
     }
  :: atomic { !merged && PLANNED && EXPECTS(0) && EXPECTS(1) -> merged = true; look();
       for (i : 0 .. 1) {                        /* every replica makes the same of them, and of all that there is */
         CLAIM(O13, frozen[i] == saidPlan && side[i].count == saidIndex[i]);
         CLAIM(I2, side[i].commit == side[i].count && side[i].far == side[i].count)
       };
#ifdef MERGED_FORGETS                           /* O13 broken: the ids of one shard do not come along */
       newKnows = false;
#else
       newKnows = known;
#endif
#ifdef KEEP_LEFT_NUMBERS                        /* O13 broken: the merged log goes on with the left one's numbers */
       newEpoch = side[0].epoch; newIndex = saidIndex[0];
#else
       newEpoch = (side[0].epoch > side[1].epoch -> side[0].epoch : side[1].epoch) + 1;
       newIndex = (saidIndex[0] > saidIndex[1] -> saidIndex[0] : saidIndex[1]);
#endif
       REACHED(1, side[0].epoch == EPMAX && side[1].epoch == 1);
       REACHED(2, saidPlan == PMAX);
       cut(0, 0); side[0].near = 0; side[0].far = 0; side[0].commit = 0; side[0].sees = 0; side[0].epoch = 0;
       forget(); rest() }
  /* ---- The merged shard */
  :: atomic { merged && newWrites < CMAX -> newWrites++; newIndex++;
       if
       :: acknowledge(newEpoch, newIndex)
       :: !newKnows -> newKnows = true; done++; CLAIM(I2, done <= 1); acknowledge(newEpoch, newIndex)
       fi }
  :: atomic { merged && newEpoch < EPMAX+2 -> newEpoch++ }
  od
}
