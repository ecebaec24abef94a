/* The clocks by which a lease ends (O5): a holder's and its granter's machine, each awake or asleep as it likes.
 *
 * A tick of true time is 100 on a perfect clock. A time daemon slews CLOCK_BOOTTIME by up to a tenth while its machine is
 * awake; it goes on while that sleeps. The steady clock is off by what its oscillator is (ρ, 1 %) while awake, and exact
 * asleep. CLOCK_MONOTONIC_RAW, by which leases were counted once, stands still then. Both machines begin to count at the
 * same moment, the worst for them. owner.pml rests on what is checked here: the holder ends before its granter (I1). */
#include "common.pml"

#define LEASE 1200                              /* twelve ticks */
#ifdef NO_MARGIN                                /* O5 broken: nothing is taken off for ρ */
#define HOLDERS LEASE
#else
#define HOLDERS (LEASE*98/100)
#endif
#define TICKS 16
#define HOLDER 0
#define GRANTER 1

#ifdef RAW_CLOCK                                /* O5 broken: the second clock stands still while a machine sleeps */
#define ASLEEP 0
#else
#define ASLEEP 100
#endif
#ifdef HOLDER_WAITS_FOR_BOTH                    /* O5 broken: a slow clock lengthens the lease */
#define IS_OVER_FOR_HOLDER (boot[HOLDER]>=HOLDERS && steady[HOLDER]>=HOLDERS)
#else
#ifdef HOLDER_BY_BOOT                           /* O5 broken: one clock is enough */
#define IS_OVER_FOR_HOLDER (boot[HOLDER]>=HOLDERS)
#else
#define IS_OVER_FOR_HOLDER (boot[HOLDER]>=HOLDERS || steady[HOLDER]>=HOLDERS)
#endif
#endif
#ifdef GRANTER_BY_EITHER                        /* O5 broken: a fast clock shortens it */
#define IS_OVER_FOR_GRANTER (boot[GRANTER]>=LEASE || steady[GRANTER]>=LEASE)
#else
#define IS_OVER_FOR_GRANTER (boot[GRANTER]>=LEASE && steady[GRANTER]>=LEASE)
#endif

byte ticks, rate[2];                            /* of true time; of each machine's oscillator */
short boot[2], steady[2];

inline pass(machine) {
  if
  :: steady[machine] = steady[machine] + ASLEEP; boot[machine] = boot[machine] + 100
  :: steady[machine] = steady[machine] + rate[machine];
     if :: boot[machine] = boot[machine] + 90
        :: boot[machine] = boot[machine] + 100
        :: boot[machine] = boot[machine] + 110 fi
  fi
}

init {
  atomic { if :: rate[HOLDER]=99 :: rate[HOLDER]=101 fi; if :: rate[GRANTER]=99 :: rate[GRANTER]=101 fi };
  do
  :: atomic { ticks<TICKS -> ticks++; pass(HOLDER); pass(GRANTER);
       CLAIM(I1, IS_OVER_FOR_HOLDER || !IS_OVER_FOR_GRANTER);
       REACHED(1, !IS_OVER_FOR_HOLDER && ticks==LEASE/100-1);
       REACHED(2, IS_OVER_FOR_GRANTER && ticks==LEASE/100) }
  :: else -> break
  od
}
