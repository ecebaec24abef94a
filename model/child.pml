/* A split, seen from one key above the cut: who may read it from memory, and what a node answers for the child before
 * it has the child's log (O13 with O2 and O4).
 *
 * Parent (shard 0) and child (shard 1) are logs like any other, on the same three nodes; s*3+n is node n's part of
 * shard s. As in owner.pml a log is (term of its last entry, what it has): W, a write of the key by the parent, in
 * its log from the start, not yet committed; SPLIT; V, a write by the child. A replica has the child's log from when
 * it applies the committed entry. The owner's word to the table (told) may come at any later time. A lease is one
 * node's, for both shards. Here each node has one until the moment that it is fenced, and no longer; owner.pml is
 * why that can be had. A node's views of the two shards' places in the table lag by themselves.
 *
 * Checked: one node may read the key, parent or child (I1); nothing acknowledged is missing at an owner that serves
 * later (I2); no read is older than another, or than a write that was acknowledged (I3). */
#include "common.pml"

#ifndef PEMAX
#define PEMAX 1                                 /* epochs of the parent */
#endif
#ifndef CEMAX
#define CEMAX 3                                 /* to which a child's epoch may be raised; it begins at 2, or at 3 */
#endif
#ifndef MOVES
#define MOVES true                              /* owners may give a shard away */
#endif
#define FENCES 1
#define W 1
#define SPLIT 2
#define V 4
#define AT(s,n) ((s)*3+(n))
#define EPOCHS 5
#define LIMIT(s) ((s)==0 -> PEMAX : CEMAX)

byte ep[2]; byte own[2*EPOCHS];                 /* the table; own is node + 1 of each epoch */
byte toldEpoch, toldBy;                         /* the split, on its way to the table */
bit fenced[3];
byte knows[6]; byte leads[6];                   /* epochs: as the node has it from the table; led or given up */
byte stage[6];                                  /* 0 no, 1 seals, 2 barrier is out, 3 serves */
byte answers[6], best[6], acks[6];              /* to its seals; the highest log of these; to its appends */
byte done[6];                                   /* committed and applied */
byte sealed[6], term[6], log[6]; bit has[3];    /* on disk; has: the child's log */
byte splitTerm;                                 /* the split is committed */
byte acked, out, ackedAt[2];                    /* what was acknowledged; that, and what was read; epochs of W and V */
byte s, n, r, k;                                /* scratch, zero between steps */

#ifdef READ_BEHIND_CUT                          /* O13 broken: reads do not ask whether the key is cut off */
#define HERE(s,n) true
#else
#define HERE(s,n) ((s)==1 || !(log[n] & SPLIT))
#endif
#define READS(s,n) (!fenced[n] && stage[AT(s,n)]==3 && knows[AT(s,n)]==leads[AT(s,n)] && HERE(s,n))
#ifdef NOTHING_ANSWERS                          /* O2 broken: who has not applied the split answers for an empty log */
#define HAS_LOG(s,n) true
#else
#define HAS_LOG(s,n) ((s)==0 || has[n])
#endif

inline check() { d_step {
  CLAIM(I1, READS(0,0)+READS(0,1)+READS(0,2)+READS(1,0)+READS(1,1)+READS(1,2) <= 1);
  for (k : 0 .. 5) {
    CLAIM(I3, !READS(k/3,k%3) || (done[k] & out) == out);
    if :: READS(k/3,k%3) -> out = out | (done[k] & (W|V)) :: else fi;
    CLAIM(I2, stage[k]!=3 || !(acked & W) || k<3 && leads[k]<ackedAt[0] || (done[k] & W));
    CLAIM(I2, stage[k]!=3 || !(acked & V) || k<3 || leads[k]<ackedAt[1] || (done[k] & V))
  };
  REACHED(1, (acked & V) && ep[1]==CEMAX && (READS(1,1) || READS(1,2)));
  REACHED(2, fenced[0] && splitTerm==1 && READS(1,1));
  s = 0; n = 0; r = 0; k = 0
} }
inline stop(x) { stage[x]=0; answers[x]=0; best[x]=0; acks[x]=0; done[x]=0 }
inline give(t,node) { ep[t]++; own[t*EPOCHS+ep[t]] = node+1 }
#define OWNER(t) (own[(t)*EPOCHS+ep[t]])

init {
  atomic { ep[0]=1; own[1]=1; leads[0]=1; stage[0]=3;
    for (k : 0 .. 2) { knows[k]=1; sealed[k]=1; term[k]=1 }; log[0]=W; acks[0]=BIT(0); k=0 };
  do
  /* ---- A fence, when the lease is over */
  :: atomic { fenced[0]+fenced[1]+fenced[2] < FENCES -> if :: n=0 :: n=1 :: n=2 fi; if :: n==0 -> r=1 :: else fi;
       if :: !fenced[n] && !fenced[r] && (OWNER(0)==n+1 && ep[0]<PEMAX || OWNER(1)==n+1 && ep[1]<CEMAX) ->
               fenced[n]=1;
               if :: OWNER(0)==n+1 && ep[0]<PEMAX -> give(0,r) :: else fi;
               if :: ep[1]>0 && OWNER(1)==n+1 && ep[1]<CEMAX -> give(1,r) :: else fi
          :: else fi; check() }
  /* ---- The table has the child */
#ifdef SPLIT_ANY_EPOCH                          /* O13 broken: the table does not ask who owns the parent by then */
  :: atomic { toldEpoch>0 && ep[1]==0 && toldEpoch<CEMAX ->
       CLAIM(I5, !fenced[toldBy]);
#else
  :: atomic { toldEpoch>0 && ep[1]==0 && toldEpoch==ep[0] ->
       CLAIM(I5, OWNER(0)==toldBy+1);
#endif
       ep[1]=toldEpoch; give(1,toldBy); check() }
  :: atomic { if :: s=0 :: s=1 fi; if :: n=0 :: n=1 :: n=2 fi; k=AT(s,n);
       if
       :: knows[k]<ep[s] -> if :: knows[k]=ep[s] :: knows[k]++ fi; stop(k)
       /* ---- O2 */
       :: knows[k]>leads[k] && own[s*EPOCHS+knows[k]]==n+1 && HAS_LOG(s,n) && (stage[k]==0 || stage[k]==3) ->
            stop(k); leads[k]=knows[k]; stage[k]=1
       :: stage[k]==1 && sealed[k]<=leads[k] && MAJ(answers[k]) ->
            sealed[k]=leads[k]; term[k]=leads[k]; log[k]=best[k]%8; acks[k]=BIT(n); answers[k]=0; best[k]=0; stage[k]=2;
            if :: s==1 -> has[n]=1 :: else fi
       :: stage[k]>=2 && sealed[k]==leads[k] && MAJ(acks[k]) && (stage[k]==2 || done[k]!=log[k]) ->
            if :: stage[k]==3 && ((log[k] ^ done[k]) & (W|V)) -> ackedAt[s]=leads[k] :: else fi;
            if :: stage[k]==3 -> acked=acked|((log[k] ^ done[k]) & (W|V)); out=out|acked :: else fi;
            if :: s==0 && (log[k] & SPLIT) && splitTerm==0 -> splitTerm=leads[k] :: else fi;
            done[k]=log[k]; stage[k]=3
       /* ---- The owner appends */
       :: s==0 && stage[k]==3 && !(log[k] & (W|SPLIT)) -> log[k]=log[k]|W; acks[k]=BIT(n)
       :: s==0 && stage[k]==3 && !(log[k] & SPLIT) -> log[k]=log[k]|SPLIT; acks[k]=BIT(n)
       :: s==1 && stage[k]==3 && !(log[k] & V) -> log[k]=log[k]|V; acks[k]=BIT(n)
       :: s==0 && stage[k]==3 && (done[k] & SPLIT) && ep[1]==0 -> toldEpoch=leads[k]; toldBy=n
       /* ---- A replica applies the split */
       :: s==1 && !has[n] && splitTerm>0 && (log[n] & SPLIT) && term[n]>=splitTerm ->
            has[n]=1; term[k]=splitTerm; log[k]=log[n] & W;
            if :: sealed[k]<splitTerm -> sealed[k]=splitTerm :: else fi
       :: else
       fi; check() }
  :: atomic {                                    /* what one node does with another */
       if :: s=0 :: s=1 fi; if :: n=0 :: n=1 :: n=2 fi; if :: r=0 :: r=1 :: r=2 fi; k=AT(s,n);
       if
       :: stage[k]==1 && !HAS(answers[k],r) && HAS_LOG(s,r) && sealed[AT(s,r)]<=leads[k] ->
            sealed[AT(s,r)]=leads[k]; answers[k]=answers[k]|BIT(r);
            if :: best[k]<term[AT(s,r)]*8+log[AT(s,r)] -> best[k]=term[AT(s,r)]*8+log[AT(s,r)] :: else fi
       :: stage[k]>=2 && sealed[k]==leads[k] && !HAS(acks[k],r) && HAS_LOG(s,r) && sealed[AT(s,r)]<=leads[k] ->
            sealed[AT(s,r)]=leads[k]; term[AT(s,r)]=term[k]; log[AT(s,r)]=log[k];
            acks[k]=acks[k]|BIT(r)
       /* ---- O8 */
       :: MOVES && r!=n && !fenced[n] && !fenced[r] && ep[s]>0 && OWNER(s)==n+1 && knows[k]==ep[s] && ep[s]<LIMIT(s) ->
            leads[k]=knows[k]; stop(k); give(s,r)
#ifdef CHILD_ASSIGNED_OVER                      /* O1 broken: the child is new, so the table places it as it likes */
       :: s==1 && r!=n && !fenced[r] && ep[1]>0 && OWNER(1)==n+1 && ep[1]<CEMAX -> give(1,r)
#endif
       :: else
       fi; check() }
  od
}
