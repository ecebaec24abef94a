/* The log of one shard: sealing, adopting, the barrier, acknowledging, and one change of the replica set (O2, O3, O9).
 *
 * The network forgets nothing: a seal or an append of any epoch, also of an owner that is dead or deposed, may arrive
 * at any later time, again and again, in any order. So it needs no queues: what the owner of epoch e has ever appended
 * is G[e], and "a message arrives" is "somebody takes a prefix of G[e]". Answers count whenever the owner likes.
 * The owner's memory is G[e], its disk is lg[own[e]]: it too gets its appends by a message.
 * The table may name any next owner at any time, over the head of the last one: logs must stand that without leases.
 *
 * Checked: cl, the committed log as everybody saw it, never changes and is in the log of each owner that begins to
 * serve (I2, I6 and with them the log's part of I3). */
#include "common.pml"
#ifndef EPMAX
#define EPMAX 3
#endif
#ifndef LMAX
#define LMAX 4
#endif
#ifndef CRMAX
#define CRMAX 1     /* crashes */
#endif
#ifndef LOMAX
#define LOMAX 0     /* disks lost */
#endif
#ifndef CHMAX
#define CHMAX 1     /* changes of the replica set that are begun */
#endif
#ifndef CA
#define CA 7        /* replicas before the change */
#endif
#ifndef CB
#define CB 14       /* and after it */
#endif
#ifndef HELD
#define HELD CA     /* who has the log at first */
#endif
#define NN 4
#define BARRIER 1
#define WRITE 2
#define JOINT 3
#define FINAL 4
#define TERM(x) ((x)/8)
#define KIND(x) ((x)%8)
#define DEAD 4

byte ep = 1;                                   /* newest epoch of the table */
byte own[EPMAX+1]; byte st[EPMAX+1];           /* per epoch: 1 seals, 2 barrier is out, 3 serves, 4 over */
byte G[(EPMAX+1)*LMAX]; byte gl[EPMAX+1];      /* what its owner has appended, adopted part included */
byte cm[EPMAX+1];                              /* its commit index */
byte sa[(EPMAX+1)*NN]; byte ak[(EPMAX+1)*NN];  /* answers to its seals (position + 1) and to its appends (index + 1) */
byte lg[NN*LMAX]; byte ll[NN]; byte sealed[NN]; bit holds[NN]; bit lost[NN];   /* on disk */
byte cl[LMAX]; byte clen; bit final; bit wrote; byte cr, lo, ch;
byte e, r, n, i, j, q, m, a, b; bit same;      /* scratch, zero between steps */

#define VOTERS(s,c) ((c==0 && MAJOF(s,CA)) || (c==1 && MAJOF(s,CA) && MAJOF(s,CB)) || (c==2 && MAJOF(s,CB)))
#ifdef COUNT_REMOVED                           /* O9 broken: an owner counts on the replicas of before */
#define QUORUM(s,c) MAJOF(s,CA)
#else
#ifdef COUNT_LEARNER                           /* O9 broken: who has answered counts, voter or not */
#define QUORUM(s,c) (CNT(s)*2 > CNT(CA))
#else
#ifdef COUNT_NEW_HALF                          /* O9 broken: a joint set is taken for the new one */
#define QUORUM(s,c) (c==0 && MAJOF(s,CA) || c>0 && MAJOF(s,CB))
#else
#define QUORUM(s,c) VOTERS(s,c)
#endif
#endif
#endif
#ifdef COUNT_OLDER                             /* O3 broken: a majority has an adopted entry, so it is committed */
#define OWN_ENTRY(e,j) true
#else
#define OWN_ENTRY(e,j) (TERM(G[(e)*LMAX+(j)-1])==(e))
#endif
#ifdef MINORITY_SEAL                           /* O2 broken: one answer is enough */
#define SEALQUORUM(s,c) ((s)!=0)
#else
#ifdef TABLE_DECIDES                           /* O2 broken: the table's list counts, not the adopted log's */
#define SEALQUORUM(s,c) MAJOF(s,CA)
#else
#if defined(COUNT_LEARNER) || defined(COUNT_NEW_HALF)
#define SEALQUORUM(s,c) QUORUM(s,c)
#else
#define SEALQUORUM(s,c) VOTERS(s,c)
#endif
#endif
#endif

/* c = configuration of the first `upto` entries of a log: 0 before, 1 joint, 2 after */
#define CONFIG(arr,base,upto,c) d_step { c=0; for (i : 0..(LMAX-1)) { \
    if :: i<upto && KIND(arr[(base)+i])==JOINT -> c=1 \
       :: i<upto && KIND(arr[(base)+i])==FINAL -> c=2 \
       :: else fi } }
inline over(k) { st[k]=DEAD; cm[k]=0; for (i : 0..(NN-1)) { sa[k*NN+i]=0; ak[k*NN+i]=0 } }
/* node x, sealed for k now, leads nothing lower any more */
inline resign(x,k) { for (q : 1 .. EPMAX) { if :: own[q]==x && q<k && st[q]!=0 && st[q]!=DEAD -> over(q) :: else fi } }
inline dies(x) {
  for (q : 1 .. EPMAX) { if :: own[q]==x && st[q]!=0 && st[q]!=DEAD -> over(q) :: else fi }
}
/* messages that every node would refuse are forgotten, which only makes states alike */
inline tidy() {
  for (q : 1 .. EPMAX) {
    same = 1;
    for (i : 0..(NN-1)) { if :: !lost[i] && sealed[i]<=q -> same=0 :: else fi }
#ifdef SKIP_EPOCH
    same = 0;
#endif
    if :: same && st[q]==DEAD -> for (i : 0..(LMAX-1)) { G[q*LMAX+i]=0 }; gl[q]=0 :: else fi
  }
}
inline push(k,kind) { G[k*LMAX+gl[k]] = k*8+kind; gl[k]++ }
inline clear() { d_step { e=0; r=0; n=0; i=0; j=0; q=0; m=0; a=0; b=0; same=0 } }
inline rest() { d_step {
  tidy();
  REACHED(1, ep>1 && st[ep]==3);
  REACHED(2, clen>0 && KIND(cl[clen-1])==FINAL) };
  clear()
}

init { atomic {
  own[1]=0; st[1]=3; e=0;
  for (i : 0..(NN-1)) { holds[i]=HAS(HELD,i); sealed[i]=HAS(HELD,i) };
  i=0 };
do
:: atomic { ep<EPMAX -> ep++;                  /* the table names another owner */
     if :: n=0 :: n=1 :: n=2 :: HAS(CA|CB,3) -> n=3 fi;
     if :: holds[n] && !lost[n] -> own[ep]=n; st[ep]=1 :: else -> ep-- fi; rest() }
:: atomic { cr<CRMAX -> cr++;                  /* a process dies and is started again */
     if :: n=0 :: n=1 :: n=2 :: HAS(CA|CB,3) -> n=3 fi; dies(n);
#ifdef FORGET_SEAL                             /* O2 broken: a seal is not on disk before it is answered */
     sealed[n] = 0;
     if :: ll[n]>0 -> sealed[n]=TERM(lg[n*LMAX+ll[n]-1]) :: else fi;
#endif
     rest() }
:: atomic { lo<LOMAX -> lo++;                  /* a disk loses the log: silent from now on, under this name (O9) */
     if :: n=0 :: n=1 :: n=2 fi; dies(n);
     for (i : 0..(LMAX-1)) { lg[n*LMAX+i]=0 }; ll[n]=0; sealed[n]=0;
#ifndef LOST_ANSWERS                           /* O9 broken: it answers seals with an empty log and acknowledges */
     lost[n]=1; holds[n]=0;
#endif
     rest() }
#if CHMAX > 0
:: atomic {                                    /* O9: removed, as the table has recorded: it erases its log */
     if :: n=0 :: n=1 :: n=2 fi;
     if :: !HAS(CB,n) && holds[n] && final>0 -> dies(n);
          for (i : 0..(LMAX-1)) { lg[n*LMAX+i]=0 }; ll[n]=0; sealed[n]=0; holds[n]=0;
#ifndef ERASED_RETURNS                         /* O9 broken: an append makes it a replica again, by its old name */
          lost[n]=1;
#endif
          REACHED(8, st[1]==3);
          rest()
        :: else -> clear() fi }
#endif
:: atomic {                                    /* O2: a seal arrives */
     if :: e=1 :: ep>1 -> e=2 :: ep>2 -> e=3 :: ep>3 -> e=4 fi; if :: r=0 :: r=1 :: r=2 :: HAS(CA|CB,3) -> r=3 fi;
     if :: e<=ep && e>1 && holds[r] && (sealed[r]<e || (sealed[r]==e && st[e]==1)) ->
          sealed[r]=e; resign(r,e);
          if :: st[e]==1 -> sa[e*NN+r]=ll[r]+1;
               if :: ll[r]>0 -> sa[e*NN+r]=TERM(lg[r*LMAX+ll[r]-1])*8+ll[r]+1 :: else fi
             :: else fi;
          rest()
        :: else -> clear() fi }
:: atomic {                                    /* O2: adopt the highest log of a majority, append the barrier */
     if :: e=ep :: ep>1 -> e=ep-1 fi; if :: r=0 :: r=1 :: r=2 :: HAS(CA|CB,3) -> r=3 fi;
     if :: e>1 && st[e]==1 && sealed[own[e]]==e && sa[e*NN+r]>0 && sealed[r]==e ->
          CONFIG(lg, r*LMAX, ll[r], a);
          for (q : 0..(NN-1)) {
#ifdef ADOPT_ANY                               /* O2 broken: any log of the majority will do */
            if :: sa[e*NN+q]>0 -> m=m|BIT(q) :: else fi
#else
            if :: sa[e*NN+q]>0 && sa[e*NN+q]<=sa[e*NN+r] -> m=m|BIT(q) :: else fi
#endif
          }
          if :: SEALQUORUM(m,a) && ll[r]<LMAX ->
               for (i : 0..(LMAX-1)) { G[e*LMAX+i]=lg[r*LMAX+i] }
               gl[e]=ll[r]; push(e,BARRIER); st[e]=2;
               for (i : 0..(NN-1)) { sa[e*NN+i]=0 }
             :: else fi;
          rest()
        :: else -> clear() fi }
:: atomic {                                    /* an append arrives, whoever sent it and however long ago */
     if :: e=1 :: ep>1 -> e=2 :: ep>2 -> e=3 :: ep>3 -> e=4 fi; if :: r=0 :: r=1 :: r=2 :: HAS(CA|CB,3) -> r=3 fi;
     if :: j=1 :: j=2 :: LMAX>2 -> j=3 :: LMAX>3 -> j=4 :: LMAX>4 -> j=5 fi;
     if :: e<=ep && j<=gl[e] && !lost[r] &&
#ifdef SKIP_EPOCH                              /* O2 broken: a replica takes appends below its seal */
          true ->
#else
          sealed[r]<=e ->
#endif
          if :: sealed[r]<e -> sealed[r]=e; resign(r,e) :: else fi;
          holds[r]=1; same = (ll[r]>=j);
          d_step { for (i : 0..(LMAX-1)) { if :: i<j && lg[r*LMAX+i]!=G[e*LMAX+i] -> same=0 :: else fi } };
#ifndef ACK_BEFORE_DISK                        /* O3 broken: acknowledged, and never written */
          if :: !same -> ll[r]=j;
               d_step { for (i : 0..(LMAX-1)) { if :: i<j -> lg[r*LMAX+i]=G[e*LMAX+i] :: else -> lg[r*LMAX+i]=0 fi } }
             :: else fi;
#endif
          if :: (st[e]==2 || st[e]==3) && ak[e*NN+r]<j -> ak[e*NN+r]=j :: else fi;
          rest()
        :: else -> clear() fi }
:: atomic {                                    /* O3: commit what a majority has on disk, counting own entries only */
     if :: e=1 :: ep>1 -> e=2 :: ep>2 -> e=3 :: ep>3 -> e=4 fi;
     if :: j=1 :: j=2 :: LMAX>2 -> j=3 :: LMAX>3 -> j=4 :: LMAX>4 -> j=5 fi;
     if :: e<=ep && (st[e]==2 || st[e]==3) && j<=gl[e] && j>cm[e] && OWN_ENTRY(e,j) ->
          CONFIG(G, e*LMAX, gl[e], a);
          for (q : 0..(NN-1)) { if :: ak[e*NN+q]>=j -> m=m|BIT(q) :: else fi }
#ifdef COUNT_MEMORY                            /* O3 broken: the owner counts itself before its disk has the entry */
          m = m|BIT(own[e]);
#endif
#ifdef COUNT_ITSELF                            /* O2 broken: an owner outside its configuration counts itself */
          m = m|BIT(own[e]);
          if :: a==2 && !HAS(CB,own[e]) -> m = m|8 :: else fi;
#endif
          if :: QUORUM(m,a) ->
               for (i : 0..(LMAX-1)) {
                 if :: i<j && i<clen -> CLAIM(I2, cl[i]==G[e*LMAX+i])       /* and I6 */
                    :: i<j && i>=clen -> cl[i]=G[e*LMAX+i]
                    :: else fi };
               if :: clen<j -> clen=j :: else fi;
               if :: KIND(cl[j-1])==FINAL -> final=1 :: else fi;
               cm[e]=j; REACHED(3, KIND(cl[j-1])==WRITE); REACHED(4, a==1);
               REACHED(5, a==2 && e>1 && KIND(cl[j-1])==BARRIER); REACHED(6, e<ep && st[ep]>1);
               REACHED(7, lo>0 && e>1);
               st[e]=3
             :: else fi;
          rest()
        :: else -> clear() fi }
#ifdef NO_BARRIER                              /* O2 broken: serves what it adopted before the barrier is committed */
:: atomic { if :: e=ep :: ep>1 -> e=ep-1 fi;
     if :: st[e]==2 -> st[e]=3;
          for (i : 0..(LMAX-1)) { if :: i<gl[e]-1 && i<clen -> CLAIM(I2, cl[i]==G[e*LMAX+i])
                                     :: i<gl[e]-1 && i>=clen -> cl[i]=G[e*LMAX+i] :: else fi };   /* a reader saw it */
          if :: clen<gl[e]-1 -> clen=gl[e]-1 :: else fi;
          rest()
        :: else -> clear() fi }
#endif
:: atomic {                                    /* the owner appends */
     if :: e=1 :: ep>1 -> e=2 :: ep>2 -> e=3 :: ep>3 -> e=4 fi;
     if :: e<=ep && st[e]==3 && gl[e]<LMAX ->
          CONFIG(G, e*LMAX, gl[e], a);
          for (i : 0..(LMAX-1)) { if :: i<gl[e] && KIND(G[e*LMAX+i])==JOINT -> b=i+1 :: else fi }
          if
          :: !wrote -> wrote=1; push(e,WRITE)
#ifdef ONE_STEP                                /* O9 broken: from one set to the other without a joint entry */
          :: a==0 && ch<CHMAX -> ch++; push(e,FINAL)
#else
          :: a==0 && ch<CHMAX -> ch++; push(e,JOINT)
#endif
#ifdef EARLY_FINAL                             /* O9 broken: leaves the joint configuration before that is committed */
          :: a==1 -> push(e,FINAL)
#else
          :: a==1 && b<=cm[e] -> push(e,FINAL)
#endif
          :: else
          fi;
          rest()
        :: else -> clear() fi }
od }
