/* What the models share. A set of nodes is a byte with one bit per node; four nodes at most. */
#define BIT(x) (1<<(x))
#define HAS(s,x) (((s)>>(x))&1)
#define CNT(s) (HAS(s,0)+HAS(s,1)+HAS(s,2)+HAS(s,3))
#define MAJOF(s,m) (2*CNT((s)&(m)) > CNT(m))
#define MAJ(s) MAJOF(s,7)

/* A probe is an assertion that must fail: it shows that what it names can happen at all. */
#ifndef PROBE
#define PROBE 0
#endif
#define REACHED(k,what) assert(!(PROBE==(k) && (what)))

/* An assertion bears the name of what it claims, by which `runs` says which one a broken variant must violate. */
hidden byte I1, I2, I3, I5, O13;                 /* always 0 */
#define CLAIM(name,what) assert(name || (what))
