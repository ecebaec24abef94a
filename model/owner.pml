/* Who owns a shard, and who may answer reads from memory: placement leaders, leases, clocks, fences, obituaries, moves
 * (O1, O2, O4 to O8), with three nodes and one shard. The log is as small as can be: (term of its last entry, contains
 * W); one write W ever. log.pml looks at logs more closely.
 *
 * Checked: at most one node passes the check of O4 (I1); what was acknowledged is at every owner that serves later
 * (I2); no read is older than an acknowledged or a seen write (I3, for one write).
 *
 * The table's history is own[epoch]. There are two slots for placement leaders: cur leads, the other is deposed and may
 * not know it. One fence can be in either slot's log (plog). Messages are calls whose answer may be lost;
 * acknowledgements and leases may be used arbitrarily late. What an owner has proposed for its epoch (prop) may reach
 * the table at any later time; where leases are not timed, an owner may settle it by a proposal for itself.
 * Time is ticks; the holder's clock may miss one tick of each lease (sl): the drift. */
#include "common.pml"
#ifndef DD
#define DD 3
#endif
#ifndef LCMAX
#define LCMAX 1
#endif
#ifndef CRMAX
#define CRMAX 1
#endif
#ifndef EPMAX
#define EPMAX 3
#endif
#ifndef SENDERS
#define SENDERS 3
#endif
#ifdef FULL_LEASE
#define LD DD
#else
#define LD (DD-1)
#endif

/* placement */
byte ep = 1; byte ownN[8]; byte ownI[8];        /* table history: owner node, incarnation of each epoch */
byte prop[5];                                   /* to whom the owner of each epoch has proposed to give the shard */
bit cur; bit noopc = 1; byte wt;                /* leader slot; own-term entry committed; wait */
byte cnt[6];                                    /* cnt[slot*3+n]: ticks that a grant may still run */
bit plog[2]; byte pf;                           /* fence(own[pf]) is in that slot's log, not yet applied */
byte lc, cr;
/* nodes */
bit up[3] = 1; byte inc[3]; bit fen[3];         /* fen: its present incarnation is fenced */
bit gone[3];                                    /* has asked to be fenced */
byte nl[3]; bit sl[3]; byte rq[3]; byte ra[3]; bit rk[3];
byte te[3] = 1; byte oe[3];                     /* applied table epoch; epoch led */
byte ld[3];                                     /* 0 no 1 sealing 2 barrier out 3 serving */
byte sa[3]; byte best[3]; byte ak[3]; bit cw[3]; bit mw[3];   /* mw: W was appended under this leadership */
byte sealed[3] = 1; byte lt[3] = 1; bit w[3];   /* durable */
bit wrote, acked, seen; byte ackE;
byte n, r, i;

#ifdef LOGONLY                                  /* leases taken as perfect: moves and obituaries raise epochs */
#define LEASE(x) true
#define TIMED false
#else
#define LEASE(x) (nl[x]>0)
#define TIMED true
#endif
#ifndef SETTLES                                  /* owners settle their proposals */
#define SETTLES (!TIMED)
#endif
#ifdef READ_BEFORE_BARRIER                       /* O4 broken: reads what it adopted before the barrier is committed */
#define SERVES(x) (ld[x]>=2)
#define SEES(x) (ld[x]==2 -> w[x] : cw[x])
#else
#define SERVES(x) (ld[x]==3)
#ifdef READ_UNCOMMITTED                          /* O4 broken: a read sees what is not committed */
#define SEES(x) (cw[x] || mw[x])
#else
#define SEES(x) cw[x]
#endif
#endif
#ifdef READ_WITHOUT_LEASE                        /* O4 broken: whoever has served goes on */
#define PASS(x) (up[x] && SERVES(x) && te[x]==oe[x])
#else
#define PASS(x) (up[x] && LEASE(x) && SERVES(x) && te[x]==oe[x])
#endif
#ifdef FENCE_EARLY                               /* O6 broken: fences without waiting for the lease to run out */
#define COUNTED true
#else
#define COUNTED (cnt[cur*3+ownN[ep]]==0)
#endif
#ifdef STOPPED_IS_DEAD                           /* O7 broken: an obituary of a process that has not exited */
#define OBITUARY true
#else
#ifdef OBITUARY_OF_A_NODE                        /* O7 broken: an obituary names the node, so its next process too */
#define OBITUARY (!up[ownN[ep]] || inc[ownN[ep]]>0)
#else
#define OBITUARY (!up[ownN[ep]] || ownI[ep]!=inc[ownN[ep]])
#endif
#endif
#define ASKED (gone[ownN[ep]] && ownI[ep]==inc[ownN[ep]])
#ifdef GONE_COMES_BACK                           /* O6 broken: who has asked for its fence serves again */
#define MAY_BEGIN(x) true
#else
#define MAY_BEGIN(x) (!gone[x])
#endif
#ifdef FENCE_WHOEVER_OWNS                        /* O6 broken: a fence raises the epoch, whose the shard be by then */
#define STILL_OWNS true
#else
#define STILL_OWNS (ownN[ep]==ownN[pf] && ownI[ep]==ownI[pf])
#endif
#ifdef LATE_ASSIGN                               /* O1 broken: the table asks who proposes, not for which epoch */
#define EXPECTED(e) (ownN[e]==ownN[ep] && ownI[e]==ownI[ep])
#else
#define EXPECTED(e) ((e)==ep)
#endif
#ifdef MINORITY_SEAL
#define ENOUGH(x) (x!=0)
#else
#define ENOUGH(x) MAJ(x)
#endif

inline check() { d_step {
  CLAIM(I1, PASS(0)+PASS(1)+PASS(2) <= 1);
  for (i : 0..2) {
    CLAIM(I3, !(PASS(i) && (acked || seen)) || SEES(i));                             /* no stale read */
    if :: PASS(i) && SEES(i) -> seen = 1 :: else fi;
    CLAIM(I2, !(ld[i]==3 && acked && oe[i]>=ackE) || cw[i])
  }
  REACHED(1, ep>1 && ld[ownN[ep]]==3 && oe[ownN[ep]]==ep);                          /* a takeover */
  REACHED(2, lc>0 && noopc && (nl[0]>0));                                          /* a lease across an election */
  REACHED(3, acked && ep>ackE && ld[ownN[ep]]==3 && oe[ownN[ep]]==ep);             /* with an acknowledged write */
  REACHED(4, cr>0 && fen[ownN[1]]==0 && inc[0]>0 && ep>1);                         /* after an obituary */
  REACHED(5, ep>1 && ownN[ep]==ownN[ep-1] && ld[ownN[ep]]==3);                    /* moved to itself */
  n=0; r=0; i=0
} }
/* A slot that had the fence in its log refuses the grants that wait there, deposed or not. */
inline forget(k) {
  if
  :: plog[k] && rq[ownN[pf]]==2 && rk[ownN[pf]]==k && ownI[pf]==inc[ownN[pf]] ->
     rq[ownN[pf]]=0; ra[ownN[pf]]=0; rk[ownN[pf]]=0
  :: else
  fi;
  plog[k]=0
}
inline give(x) {                                 /* proposals for an epoch that is over are refused: forgotten */
#ifndef LATE_ASSIGN
  prop[ep]=0;
#endif
  ep++; ownN[ep]=x; ownI[ep]=inc[x]
}
inline applyFence() {                            /* O6: marks the incarnation; the epoch rises if it still owns */
  if :: inc[ownN[pf]]==ownI[pf] -> fen[ownN[pf]] = 1 :: else fi;
  if
  :: STILL_OWNS && ep<EPMAX ->
     if
     :: !fen[0] -> give(0)
     :: !fen[1] -> give(1)
     :: !fen[2] -> give(2)
     :: else
     fi
  :: else
  fi;
  forget(0); forget(1); pf=0
}
inline stop(x) { ld[x]=0; sa[x]=0; best[x]=0; ak[x]=0; cw[x]=0; mw[x]=0 }
inline volatileLost(x) { nl[x]=0; sl[x]=0; rq[x]=0; ra[x]=0; rk[x]=0; oe[x]=0; stop(x) }
#define TARGET(x) ((x)+3*inc[x])                 /* the newest process of a node */

init { atomic { ld[0]=3; oe[0]=1; ak[0]=7; ownN[1]=0 };
do
:: atomic { TIMED ->                             /* time */
   for (i : 0..5) { if :: cnt[i]>0 -> cnt[i]-- :: else fi }
   if :: wt>0 -> wt-- :: else fi;
   for (i : 0..2) {
     if :: nl[i]>0 -> nl[i]-- :: nl[i]>0 && sl[i] -> sl[i]=0 :: else fi;
     if :: nl[i]==0 -> sl[i]=0 :: else fi;
     if :: rq[i]>0 && ra[i]<LD -> ra[i]++ :: else fi;
     if :: rq[i]>0 && ra[i]>=LD -> rq[i]=0; ra[i]=0; rk[i]=0 :: else fi
   }; check() }
:: atomic { lc<LCMAX -> lc++;                    /* election: the other slot leads, the old one may not know */
   if :: plog[cur] -> plog[1-cur]=1 :: skip fi;
   cur = 1-cur; noopc = 0;
#ifndef NO_WAIT
   wt = DD;
#endif
   cnt[cur*3]=0; cnt[cur*3+1]=0; cnt[cur*3+2]=0; check() }
:: atomic { !noopc ->                            /* the first entry of its term commits: so does all before it */
   if :: plog[cur] -> applyFence() :: else -> forget(1-cur); pf=0 fi; noopc=1; check() }
:: atomic { noopc && !plog[cur] && ep<EPMAX ->
   if                                            /* O6 propose */
   :: noopc && !plog[cur] && TIMED && COUNTED && wt==0 -> plog[cur]=1; pf=ep
   :: noopc && !plog[cur] && OBITUARY -> plog[cur]=1; pf=ep   /* O7 obituary */
   :: noopc && !plog[cur] && ASKED -> plog[cur]=1; pf=ep
   :: else
   fi; check() }
:: atomic { noopc && plog[cur] -> applyFence(); check() }
:: atomic {
   if :: n=0 :: n=1 :: n=2 fi;
   if
   /* ---- O5 */
   :: n<SENDERS && up[n] && rq[n]==0 && !fen[n] -> rq[n]=1; ra[n]=0
   :: rq[n]==1 && !fen[n] && noopc -> rq[n]=2; rk[n]=cur      /* confirmed: rk leads now */
#ifdef GRANT_UNCONFIRMED
   :: rq[n]==1 -> rq[n]=2; rk[n]=1-cur           /* a deposed leader answers unasked */
#endif
   :: rq[n]==2 && (rk[n]!=cur || !fen[n]) && !(plog[rk[n]] && ownN[pf]==n && ownI[pf]==inc[n]) ->
      cnt[rk[n]*3+n]=DD; rq[n]=3
   :: rq[n]==3 -> if :: LD-ra[n] > nl[n] -> nl[n]=LD-ra[n]; sl[n]=1 :: else fi; rq[n]=0; ra[n]=0; rk[n]=0
   :: rq[n]>0 -> rq[n]=0; ra[n]=0; rk[n]=0       /* lost */
   /* ---- table reaches the node */
   :: te[n]<ep -> if :: te[n]=ep :: te[n]++ fi;
      stop(n)
   /* ---- O2 */
   :: up[n] && MAY_BEGIN(n) && te[n]>oe[n] && ownN[te[n]]==n && ownI[te[n]]==inc[n] && (ld[n]==0 || ld[n]==3) ->
      oe[n]=te[n]; ld[n]=1; sa[n]=0; best[n]=0; ak[n]=0; cw[n]=0; mw[n]=0
   :: up[n] && ld[n]==1 && sealed[n]<=oe[n] && ENOUGH(sa[n]) ->
      lt[n]=oe[n]; w[n]=best[n]&1; sealed[n]=oe[n]; ak[n]=BIT(n); sa[n]=0; best[n]=0;
      ld[n]=2
   :: up[n] && ld[n]==2 && sealed[n]==oe[n] && MAJ(ak[n]) -> ld[n]=3; cw[n]=w[n]
   /* ---- O3 */
   :: up[n] && ld[n]==3 && !wrote && sealed[n]==oe[n] && lt[n]==oe[n] -> wrote=1; w[n]=1; mw[n]=1; ak[n]=BIT(n)
   :: up[n] && ld[n]==3 && mw[n] && !cw[n] && MAJ(ak[n]) -> cw[n]=1; acked=1; ackE=oe[n]
   /* ---- crash and restart */
   :: up[n] && cr<CRMAX -> cr++; up[n]=0; volatileLost(n)
   :: !up[n] -> up[n]=1; inc[n]++; fen[n]=0; gone[n]=0
#ifdef LEAVES                                    /* O6 it stops, and asks to be fenced */
   :: n==0 && up[n] && !gone[n] && !fen[n] && ownN[ep]==n -> gone[n]=1; oe[n]=te[n]; stop(n)
#endif
   :: else
   fi; check() }
:: atomic {                                      /* what one node does with another */
   if :: n=0 :: n=1 :: n=2 fi; if :: r=0 :: r=1 :: r=2 fi;
   if
   :: up[n] && ld[n]==1 && up[r] && !HAS(sa[n],r) && sealed[r]<=oe[n] -> sealed[r]=oe[n];
      if :: sa[n]=sa[n]|BIT(r);
            if :: best[n] < lt[r]*2+w[r] -> best[n]=lt[r]*2+w[r] :: else fi
         :: skip fi
   :: up[n] && ld[n]>=2 && sealed[n]==oe[n] && up[r] && !HAS(ak[n],r) && sealed[r]<=oe[n] ->     /* append */
      sealed[r]=oe[n]; lt[r]=lt[n]; w[r]=w[n];
      if :: ak[n]=ak[n]|BIT(r) :: skip fi
   /* ---- O8 the owner gives it away (or yields), and settles that by a proposal for itself */
   :: up[n] && ep<EPMAX && ownN[ep]==n && ownI[ep]==inc[n] && te[n]==ep && (prop[ep]==0 -> r!=n : r==n && SETTLES) ->
      prop[ep]=prop[ep]|BIT(TARGET(r));
#ifdef SERVE_ON                                  /* O8 broken: it serves until it knows what became of the proposal */
      skip
#else
#ifndef RESUME                                   /* O8 broken: who has given an epoch away begins it later */
      oe[n]=te[n];
#endif
      stop(n)
#endif
   :: noopc && ep<EPMAX && n<ep && EXPECTED(n+1) && HAS(prop[n+1], TARGET(r)) && !fen[r] ->      /* O1 it arrives */
      give(r)
#ifdef ASSIGN_OVER
   :: noopc && ep<EPMAX && r!=n && !fen[r] && ownN[ep]==n -> give(r)
#endif
   :: else
   fi; check() }
od }
