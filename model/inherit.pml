/* A split and a change of the parent's replicas, one after the other, on five nodes; one disk may be lost (O13, O9).
 *
 * A node gets the child by applying the parent's entry that makes it. The table names the child as soon as its owner,
 * node 0, has it; whoever leaves the parent before it has applied that entry takes the entry along, and is a new and
 * empty replica of the child, filled by those who have it. The parent's log is one sequence of which each node has a
 * beginning, and node 0 owns both shards: takeovers are log.pml's and child.pml's. Its first entry is a write of a key
 * above the cut.
 *
 * Checked: with one disk lost, some disk has the parent's write, and the child's, if they were acknowledged (I2). */
#include "common.pml"

#define NODES 5
#define FORMER 7                                /* nodes 0, 1, 2 */
#define LATTER 25                               /* nodes 0, 3, 4 */
#define LMAX 4
#define W 1
#define SPLIT 2
#define JOINT 3                                 /* both sets vote */
#define FINAL 4
#define PARENTS 1                               /* what a node has of the child: what was the parent's, its own write too */
#define OWN 2

byte kind[LMAX+1], count, commit;               /* the owner's log, entries from 1 on */
byte reach[NODES], applied[NODES], child[NODES];
byte lost, erased;                              /* sets of nodes: without their disk; without the parent, which they left */
byte cut, changed;                              /* where the split is, and the change's last entry; 0: nowhere */
byte members;                                   /* the child's replicas */
bool named, served, acked;                      /* the child, by the table and by its log; its own write */
byte n, k, have;                                /* scratch */

#define IS_JOINT (changed>0 && kind[changed]==JOINT)
#define IS_CHANGED (changed>0 && kind[changed]==FINAL)
#define VOTERS(x) ((changed==0 -> FORMER : (IS_CHANGED -> LATTER : FORMER|LATTER)) & BIT(x))
#define MAJORITY_OF(set,v) (HAS(v&set,0)+HAS(v&set,1)+HAS(v&set,2)+HAS(v&set,3)+HAS(v&set,4) >= 2)
#ifdef CHANGE_UNSERVED                          /* O13 broken: the parent's replicas change when they like */
#define MAY_CHANGE true
#else
#ifdef CHANGE_WHEN_NAMED                        /* O13 broken: the owner alone has the child */
#define MAY_CHANGE (cut==0 || named)
#else
#define MAY_CHANGE (cut==0 || served)
#endif
#endif

inline those(condition) {                       /* have: the nodes of which it is true, k each */
  have = 0;
  for (k : 0 .. NODES-1) { if :: condition -> have = have | BIT(k) :: else fi };
  k = 0
}
inline check() { d_step {
  those(!HAS(lost,k) && (child[k]>0 || reach[k]>0 && (cut==0 || applied[k]<cut)));
  CLAIM(I2, commit==0 || have);
  those(!HAS(lost,k) && child[k]==OWN);
  CLAIM(I2, !acked || have);
  REACHED(1, acked && IS_CHANGED && commit==LMAX && lost==BIT(0) && erased==6);
  REACHED(2, acked && members==LATTER && lost>0);
  n = 0; have = 0
} }

init {
  do
  /* ---- The owner of both */
  :: atomic { !HAS(lost,0) && count<LMAX ->
       if
       :: count==0 -> count++; kind[count]=W
       :: count>0 && cut==0 && !IS_JOINT && (changed==0 || changed<=commit) ->
            count++; kind[count]=SPLIT; cut=count; members=(changed==0 -> FORMER : LATTER)
       :: count>0 && changed==0 && MAY_CHANGE -> count++; kind[count]=JOINT; changed=count
       :: IS_JOINT && changed<=commit -> count++; kind[count]=FINAL; changed=count
       :: else
       fi; reach[0]=count; check() }
  :: atomic { !HAS(lost,0) && commit<count ->
       those(reach[k]>commit);
       if :: (IS_CHANGED || MAJORITY_OF(FORMER,have)) && (changed==0 || MAJORITY_OF(LATTER,have)) -> commit++
          :: else fi; check() }
  :: atomic { !HAS(lost,0) && child[0]>0 && !named -> named=true; check() }
  :: atomic { !HAS(lost,0) && named && !served ->
       those(HAS(members,k) && child[k]>0);
       if :: MAJORITY_OF(members,have) -> served=true :: else fi; check() }
  :: atomic { !HAS(lost,0) && served && child[0]==PARENTS -> child[0]=OWN; check() }
  :: atomic { !HAS(lost,0) && child[0]==OWN && !acked ->
       those(HAS(members,k) && child[k]==OWN);
       if :: MAJORITY_OF(members,have) -> acked=true :: else fi; check() }
  /* ---- What it does with another, and what that does by itself */
  :: atomic { select(n : 0 .. NODES-1);
       if
       :: !HAS(lost,0) && !HAS(lost|erased,n) && VOTERS(n) && reach[n]<count -> reach[n]++
       :: !HAS(lost,n) && applied[n]<commit && applied[n]<reach[n] ->
            applied[n]++;
            if :: kind[applied[n]]==SPLIT && HAS(members,n) && child[n]==0 -> child[n]=PARENTS :: else fi
       :: IS_CHANGED && changed<=commit && !HAS(LATTER,n) && !HAS(lost|erased,n) ->
            erased=erased|BIT(n); reach[n]=0; applied[n]=0
       :: !HAS(lost,0) && !HAS(lost,n) && named && HAS(members,n) && child[n]<child[0] -> child[n]=child[0]
       :: lost==0 -> lost=BIT(n); reach[n]=0; applied[n]=0; child[n]=0
       :: else
       fi; check() }
  od
}
