// Special functions in float64, accurate to some 1e-14 unless said otherwise. Special cases are those of
// torch.special. Portable C (CUDA includes this file too): the including file defines
//   TC_SPECIAL       what stands before a function (its linkage, __device__)
//   TC_SPECIAL_DATA  what stands before a table of double
// The Chebyshev tables are interpolations at 72 nodes with 60 digits, cut off below 2e-17 of their largest term.
// A&S is Abramowitz and Stegun, Handbook of Mathematical Functions.

TC_SPECIAL_DATA double i0_near[] = {
    0.67679527440947608, -0.30468267234319840, 0.17162090152220878, -0.094901097048047644,
    0.049305284239670708, -0.023737414805899469, 0.010546460394594998, -0.0043243099950505759,
    0.0016394756169413358, -0.00057637557453858237, 0.00018850288509584166, -5.7541950100821037e-5,
    1.6448448070728897e-5, -4.4167383584587506e-6, 1.1173875391201037e-6, -2.6707938539406117e-7,
    6.0469950225419189e-8, -1.3000250099862480e-8, 2.6598237246823867e-9, -5.1897956016352629e-10,
    9.6758090353732369e-11, -1.7268262914415557e-11, 2.9550526631296398e-12, -4.8564467831119295e-13,
    7.6761854986049356e-14, -1.1685332877993452e-14, 1.7153912855551330e-15, -2.4312798465479547e-16,
    3.3307945188222381e-17};
TC_SPECIAL_DATA double i0_far[] = {
    0.80449041101410883, 0.0033691164782556941, 6.8897583469168240e-5, 2.8913705208347565e-6,
    2.0489185894690637e-7, 2.2666689904981781e-8, 3.3962320257083863e-9, 4.9406023882249696e-10,
    1.1889147107846438e-11, -3.1499165279632414e-11, -1.3215811840447713e-11, -1.7941785315068061e-12,
    7.1801244513836662e-13, 3.8527783827421427e-13, 1.5400862175214098e-14, -4.1505693472872221e-14,
    -9.5548466988283076e-15, 3.8116806693526224e-15, 1.7725601330565264e-15, -3.4254856196772191e-16,
    -2.8276239805165835e-16, 3.4612228676974611e-17, 4.4656214202967600e-17};
TC_SPECIAL_DATA double i1_near[] = {
    0.25258718644363365, -0.17641651835783406, 0.10264365868984710, -0.052945981208094991,
    0.024726449030626517, -0.010564084894626198, 0.0041564229443128882, -0.0015135724506312531,
    0.00051228595616857577, -0.00016176081582589675, 4.7815651075500542e-5, -1.3273163656039436e-5,
    3.4702513081376785e-6, -8.5687202646954547e-7, 2.0032947535521353e-7, -4.4450591287963281e-8,
    9.3815373864957718e-9, -1.8872497517228293e-9, 3.6255902815521170e-10, -6.6634897235020277e-11,
    1.1736186298890902e-11, -1.9839743977649437e-12, 3.2237933659455747e-13, -5.0421855047279117e-14,
    7.6006842947354069e-15, -1.1055969477353863e-15, 1.5536319577362005e-16, -2.1114212143581661e-17};
TC_SPECIAL_DATA double i1_far[] = {
    0.77857623501828012, -0.0097610974913614684, -0.00011058893876262372, -3.8825648088776904e-6,
    -2.5122362378702089e-7, -2.6314688468895195e-8, -3.8353803859642370e-9, -5.5897434621965838e-10,
    -1.8974958123505412e-11, 3.2526035830154882e-11, 1.4125807436613781e-11, 2.0356285441470895e-12,
    -7.1985517762459085e-13, -4.0835511110921973e-13, -2.1015418427726643e-14, 4.2724400167119514e-14,
    1.0420276984128803e-14, -3.8144030724370078e-15, -1.8803547755107824e-15, 3.3082023109209283e-16,
    2.9626289976459501e-16, -3.2095259219934240e-17, -4.6503053684893583e-17};
TC_SPECIAL_DATA double k0_near[] = {
    -0.53532739323390277, 0.34428989992462849, 0.035979936515361502, 0.0012646154114469259,
    2.2862121031194518e-5, 2.5347910790261495e-7, 1.9045163772202089e-9, 1.0349695257633625e-11,
    4.2598161427910826e-14, 1.3744654358807509e-16};
TC_SPECIAL_DATA double k1_near[] = {
    1.5253002273389478, -0.35315596077654488, -0.12261118082265715, -0.0069757238596398644,
    -0.00017302889575130521, -2.4334061415659682e-6, -2.2133876307347259e-8, -1.4114883926335278e-10,
    -6.6669016941993290e-13, -2.4274498505193659e-15};
TC_SPECIAL_DATA double k0_far[] = {
    2.4403030820659555, -0.031448101311964501, 0.0015698838857300534, -0.00012849549581627803,
    1.3949813718876499e-5, -1.8317555227191195e-6, 2.7668136394450151e-7, -4.6604898976879477e-8,
    8.5740340174142261e-9, -1.6975345093890615e-9, 3.5773972814003284e-10, -7.9574892444773970e-11,
    1.8559491149549266e-11, -4.5145978833745192e-12, 1.1403405882073442e-12, -2.9800969231481784e-13,
    8.0328907750683744e-14, -2.2275133267462964e-14, 6.3400764762766460e-15, -1.8485933779209072e-15,
    5.5120559994043334e-16, -1.6782311257549006e-16, 5.2103917776435541e-17};
TC_SPECIAL_DATA double k1_far[] = {
    2.7206261904844427, 0.10392373657681724, -0.0028578168596227794, 0.00019521551847135163,
    -1.9361979741660830e-5, 2.4064849478372171e-6, -3.5019606030878125e-7, 5.7410841254500493e-8,
    -1.0345762465678097e-8, 2.0150497551970346e-9, -4.1903547593419256e-10, 9.2183151876053141e-11,
    -2.1299678384277910e-11, 5.1396396734823435e-12, -1.2891739609498229e-12, 3.3484196660522431e-13,
    -8.9767051820101461e-14, 2.4771544242195987e-14, -7.0198370892147689e-15, 2.0387031662398609e-15,
    -6.0570472706430178e-16, 1.8380935752430454e-16, -5.6894628491936484e-17};
TC_SPECIAL_DATA double erfcx_table[] = {
    2.3551578691348035, -0.0045900545806464773, -0.084249133366517916, 0.059209939998191890,
    -0.026658668435305752, 0.0090749976707052651, -0.0024131635404176082, 0.00049077583652580863,
    -6.9169733025012064e-5, 4.1390279860730102e-6, 7.7403830661984907e-7, -2.1886401049234396e-7,
    1.0764999465670910e-8, 4.5219598112182869e-9, -7.7544002088313511e-10, -6.3180883408866845e-11,
    2.8687950109306699e-11, 1.9455868545777347e-13, -9.6546967484334389e-13, 3.2525481481487398e-14,
    3.3478119482868054e-14, -1.8645628804193131e-15, -1.2507950530688647e-15, 7.4182352566240435e-17,
    5.0681489047961113e-17};
TC_SPECIAL_DATA double airy_decay[] = {
    1.9732674294316088, -0.012766830256082632, 0.00055377225352742198, -4.1014248038891749e-5,
    4.0883724210728215e-6, -4.9695078130981038e-7, 6.9865820521900169e-8, -1.0998283546765958e-8,
    1.8970880966180473e-9, -3.5308797457603725e-10, 7.0108309623170121e-11, -1.4721754168644402e-11,
    3.2469135156366137e-12, -7.4800151595408204e-13, 1.7917900253009824e-13, -4.4461756097871589e-14,
    1.1392506875803451e-14, -3.0061202437151419e-15, 8.1495175509785046e-16, -2.2652325377179939e-16,
    6.4442917828092206e-17};
TC_SPECIAL_DATA double airy_cos[] = {
    1.9977173663669705, -0.0011184133658356132, 2.1698810813835346e-5, -1.0985982262488230e-6,
    9.3096796057936701e-8, -1.0959092313687821e-8, 1.6246950961100771e-9, -2.8612193506609376e-10,
    5.7634747237624692e-11, -1.2938269665425108e-11, 3.1768429577114583e-12, -8.4134654885569829e-13,
    2.3776668881757098e-13, -7.1097472857032418e-14, 2.2342785557110238e-14, -7.3382606676810861e-15,
    2.5074146195706197e-15, -8.8789409642082642e-16, 3.2477014717935484e-16, -1.2236348983778159e-16,
    4.7373358800596637e-17};
TC_SPECIAL_DATA double airy_sin[] = {
    0.13667878942727493, -0.0010642791323724807, 3.7786792525250613e-5, -2.6570988617609994e-6,
    2.7992001847578872e-7, -3.8657818283303831e-8, 6.4932433286872419e-9, -1.2661938644526406e-9,
    2.7790304299354757e-10, -6.7172093213635677e-11, 1.7598300759910745e-11, -4.9375254124785522e-12,
    1.4697491359557464e-12, -4.6073061139876814e-13, 1.5118588074079013e-13, -5.1676144656202221e-14,
    1.8322938032077245e-14, -6.7161020939576922e-15, 2.5372896582544037e-15, -9.8547615170996297e-16,
    3.9263099408724803e-16, -1.6015676105805074e-16, 6.6771124108217102e-17, -2.8409257699993238e-17,
    1.2319005391997451e-17, -5.4376837843289879e-18};
// B(2k) / (2k)! and B(2k) / (2k), B the Bernoulli numbers.
TC_SPECIAL_DATA double zeta_bernoulli[] = {
    0.083333333333333333, -0.0013888888888888889, 3.3068783068783069e-5, -8.2671957671957672e-7,
    2.0876756987868099e-8, -5.2841901386874932e-10, 1.3382536530684679e-11, -3.3896802963225829e-13,
    8.5860620562778446e-15, -2.1748686985580619e-16, 5.5090028283602295e-18, -1.3954464685812523e-19};
TC_SPECIAL_DATA double digamma_bernoulli[] = {
    0.083333333333333333, -0.0083333333333333333, 0.0039682539682539683, -0.0041666666666666667,
    0.0075757575757575758, -0.021092796092796093, 0.083333333333333333};

// c[0] / 2 + c[1] T1(t) + ... (Clenshaw 1955).
TC_SPECIAL double tc_chebyshev_series(double t, const double *c, int n) {
  double b0 = 0, b1 = 0, b2 = 0;
  for (int i = n - 1; i >= 0; i--) {
    b2 = b1;
    b1 = b0;
    b0 = 2 * t * b1 - b2 + c[i];
  }
  return 0.5 * (b0 - b2);
}
#define TC_SERIES(t, table) tc_chebyshev_series(t, table, (int)(sizeof(table) / sizeof((table)[0])))

// Modified Bessel functions of the first kind; `e` stands for scaled by e^-|x|.
TC_SPECIAL double tc_i0e(double x) {
  double size = fabs(x);
  return size <= 8 ? TC_SERIES(size / 4 - 1, i0_near) : TC_SERIES(16 / size - 1, i0_far) / sqrt(size);
}
TC_SPECIAL double tc_i1e(double x) {
  double size = fabs(x);
  double y = size <= 8 ? TC_SERIES(size / 4 - 1, i1_near) * size : TC_SERIES(16 / size - 1, i1_far) / sqrt(size);
  return x < 0 ? -y : y;
}
TC_SPECIAL double tc_i0(double x) { return exp(fabs(x)) * tc_i0e(x); }
TC_SPECIAL double tc_i1(double x) { return exp(fabs(x)) * tc_i1e(x); }

// Modified Bessel functions of the second kind; `e` stands for scaled by e^x.
TC_SPECIAL double tc_k0_near(double x) { return TC_SERIES(x * x / 2 - 1, k0_near) - log(x / 2) * tc_i0(x); }
TC_SPECIAL double tc_k1_near(double x) { return TC_SERIES(x * x / 2 - 1, k1_near) / x + log(x / 2) * tc_i1(x); }
TC_SPECIAL double tc_k0(double x) {
  if (!(x > 0)) return x == 0 ? INFINITY : NAN;
  return x <= 2 ? tc_k0_near(x) : exp(-x) * (TC_SERIES(4 / x - 1, k0_far) / sqrt(x));
}
TC_SPECIAL double tc_k1(double x) {
  if (!(x > 0)) return x == 0 ? INFINITY : NAN;
  return x <= 2 ? tc_k1_near(x) : exp(-x) * (TC_SERIES(4 / x - 1, k1_far) / sqrt(x));
}
TC_SPECIAL double tc_k0e(double x) {
  if (!(x > 0)) return x == 0 ? INFINITY : NAN;
  return x <= 2 ? tc_k0_near(x) * exp(x) : TC_SERIES(4 / x - 1, k0_far) / sqrt(x);
}
TC_SPECIAL double tc_k1e(double x) {
  if (!(x > 0)) return x == 0 ? INFINITY : NAN;
  return x <= 2 ? tc_k1_near(x) * exp(x) : TC_SERIES(4 / x - 1, k1_far) / sqrt(x);
}

TC_SPECIAL double tc_spherical_bessel_j0(double x) {
  if (isinf(x)) return 0;
  double z = x * x;
  if (fabs(x) < 0.5) return 1 - z / 6 * (1 - z / 20 * (1 - z / 42 * (1 - z / 72 * (1 - z / 110 * (1 - z / 156)))));
  return sin(x) / x;
}

// Airy's function: Maclaurin series (A&S 10.4.2), and at either side the form of its asymptotic expansion
// (10.4.59, 10.4.60) with fitted series.
TC_SPECIAL double tc_airy_ai(double x) {
  if (isnan(x) || isinf(x)) return NAN;
  if (x > 104) return 0;
  if (x > 2.25) {
    double zeta = 2.0 / 3 * x * sqrt(x);
    return exp(-zeta) * TC_SERIES(2 * 2.25 / zeta - 1, airy_decay) / (3.5449077018110320546 * sqrt(sqrt(x)));
  }
  if (x < -3.25) {
    double size = -x, zeta = 2.0 / 3 * size * sqrt(size), phase = zeta - 0.78539816339744830962;
    double first = 2.0 / 3 * 3.25 * 1.8027756377319946466, w = first / zeta, t = 2 * w * w - 1;
    double y = cos(phase) * TC_SERIES(t, airy_cos) + sin(phase) * TC_SERIES(t, airy_sin) / zeta;
    return y / (1.7724538509055160273 * sqrt(sqrt(size)));
  }
  double cube = x * x * x, f = 1, g = x, f_term = 1, g_term = x;
  for (int k = 1; k < 40 && fabs(f_term) + fabs(g_term) > 1e-18; k++) {
    f_term *= cube / (3.0 * k * (3.0 * k - 1));
    g_term *= cube / (3.0 * k * (3.0 * k + 1));
    f += f_term;
    g += g_term;
  }
  return 0.35502805388781723926 * f - 0.25881940379280679840 * g;
}

// erfc(x) e^(x^2) = g((x - k) / (x + k)) / (1 + 2 x) (Shepherd and Laframboise 1981).
TC_SPECIAL double tc_erfcx(double x) {
  if (isnan(x)) return x;
  if (x < -26.7) return INFINITY;
  double size = fabs(x);
  double y = size > 1e8 ? 0.56418958354775628695 / size
                        : TC_SERIES((size - 3.75) / (size + 3.75), erfcx_table) / (1 + 2 * size);
  return x < 0 ? 2 * exp(x * x) - y : y;
}

// The logarithm of the cumulative normal distribution.
TC_SPECIAL double tc_log_ndtr(double x) {
  double t = x * 0.70710678118654752440;
  return x < -1 ? log(tc_erfcx(-t) / 2) - t * t : log1p(-erfc(t) / 2);
}

// psi: recurrence up to 10, then A&S 6.3.18; below 0 the reflection formula.
TC_SPECIAL double tc_digamma(double x) {
  if (x == 0) return copysign(INFINITY, -x);
  double y = 0;
  if (x < 0) {
    if (x == trunc(x)) return NAN;
    double part = x - nearbyint(x);
    y = -3.14159265358979323846 / tan(3.14159265358979323846 * part);
    x = 1 - x;
  }
  for (; x < 10; x++) y -= 1 / x;
  double z = 1 / (x * x), sum = 0;
  for (int k = 6; k >= 0; k--) sum = (sum + digamma_bernoulli[k]) * z;
  return y + log(x) - 0.5 / x - sum;
}

// Hurwitz zeta, sum of (q + k)^-s: ten terms or more, then Euler and Maclaurin's formula (A&S 23.1.30).
TC_SPECIAL double tc_zeta(double s, double q) {
  if (s == 1) return INFINITY;
  if (s < 1) return NAN;
  if (q <= 0) {
    if (q == floor(q)) return INFINITY;
    if (s != floor(s)) return NAN;
  }
  double sum = 0, term = 0;
  int k = 0;
  for (; k < 10 || q <= 10; k++, q++) {
    term = pow(q, -s);
    sum += term;
    if (fabs(term) < 1e-17 * fabs(sum)) return sum;
  }
  double power = pow(q, -s), factor = s;
  sum += power * q / (s - 1) + power / 2;
  for (int i = 0; i < 12; i++) {
    power /= q;
    double part = zeta_bernoulli[i] * factor * power;
    sum += part;
    if (fabs(part) < 1e-17 * fabs(sum)) break;
    factor *= (s + 2 * i + 1) * (s + 2 * i + 2);
    power /= q;
  }
  return sum;
}

// The n-th derivative of psi, for a whole n >= 0 (A&S 6.4.10); trigamma reflects (6.4.7).
TC_SPECIAL double tc_polygamma(double n, double x) {
  if (n == 0) return tc_digamma(x);
  if (n == 1 && isinf(x)) return x > 0 ? 0 : NAN;
  if (n == 1 && x < 0.5 && x != floor(x)) {
    double s = sin(3.14159265358979323846 * (x - nearbyint(x)));
    return 9.8696044010893586188 / (s * s) - tc_zeta(2, 1 - x);
  }
  return (fmod(n, 2.0) == 1 ? 1 : -1) * tgamma(n + 1) * tc_zeta(n + 1, x);
}

// log(1 + u) - u, without cancellation for small u.
TC_SPECIAL double tc_log1p_rest(double u) {
  if (fabs(u) > 0.25) return log1p(u) - u;
  double sum = 0;
  for (int k = 27; k >= 2; k--) sum = (k % 2 ? 1.0 : -1.0) / k + u * sum;
  return u * u * sum;
}
// x^a e^-x / Gamma(a + 1). For large a by Stirling's series, as the logarithms of the parts would lose the digits.
TC_SPECIAL double tc_gamma_weight(double a, double x) {
  if (a < 20) return exp(a * log(x) - x) / tgamma(a + 1);
  double z = 1 / (a * a);
  double stirling = (1.0 / 12 - z * (1.0 / 360 - z * (1.0 / 1260 - z / 1680))) / a;
  return exp(a * tc_log1p_rest((x - a) / a) - stirling) / sqrt(6.28318530717958647693 * a);
}
// The regularised incomplete gamma functions P(a, x) and Q(a, x) = 1 - P, whichever of them is asked for: the series
// of P below x = a + 1 (A&S 6.5.29), the continued fraction of Q above (6.5.31, evaluated after Lentz 1976), and for
// a >= 1e6 the normal approximation with its first correction (Temme 1979; error 1e-12).
TC_SPECIAL double tc_incomplete_gamma(double a, double x, int upper) {
  if (isnan(a) || isnan(x)) return NAN;
  double p, q, u = (x - a) / a;
  if (a >= 1e6) {
    double half_square = -tc_log1p_rest(u), eta = copysign(sqrt(2 * half_square), u);
    double c0 = fabs(u) < 1e-3 ? -1.0 / 3 + u / 12 - u * u * 23 / 540 : 1 / u - 1 / eta;
    double rest = exp(-a * half_square) / sqrt(6.28318530717958647693 * a) * c0, t = eta * sqrt(a / 2);
    q = 0.5 * erfc(t) + rest;
    p = 0.5 * erfc(-t) - rest;
    return upper ? q : p;
  }
  if (x < a + 1) {
    double term = 1, sum = 1;
    for (int n = 1; n < 100000 && term > 1e-17 * sum; n++) {
      term *= x / (a + n);
      sum += term;
    }
    p = tc_gamma_weight(a, x) * sum;
    return upper ? 1 - p : p;
  }
  double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
  for (int i = 1; i < 100000; i++) {
    double step = -i * (i - a);
    b += 2;
    d = 1 / (step * d + b);
    c = b + step / c;
    double change = c * d;
    h *= change;
    if (fabs(change - 1) < 1e-16) break;
  }
  q = tc_gamma_weight(a, x) * a * h;
  return upper ? q : 1 - q;
}
TC_SPECIAL double tc_igamma(double a, double x) {
  if (a < 0 || x < 0) return NAN;
  if (a == 0) return x > 0 ? 1 : NAN;
  if (x == 0) return 0;
  if (isinf(a)) return isinf(x) ? NAN : 0;
  return isinf(x) ? 1 : tc_incomplete_gamma(a, x, 0);
}
TC_SPECIAL double tc_igammac(double a, double x) {
  if (a < 0 || x < 0) return NAN;
  if (a == 0) return x > 0 ? 0 : NAN;
  if (x == 0) return 1;
  if (isinf(a)) return isinf(x) ? NAN : 1;
  return isinf(x) ? 0 : tc_incomplete_gamma(a, x, 1);
}

// Orthogonal polynomials of degree n (truncated to an integer; 0 for one that is none or below 0) by their recurrences (A&S 22.7); the
// Chebyshev polynomials of larger degree by their definition as cosines and sines (22.3.15, 22.3.16).
TC_SPECIAL int64_t tc_degree(double n) { return n > -1 && n < 0x1p63 ? (int64_t)n : -1; }

// p(0) = 1, p(1) = first, p(k + 1) = 2 x p(k) - p(k - 1).
TC_SPECIAL double tc_chebyshev(double x, double first, int64_t n) {
  double p = 1, q = first;
  if (n == 0) return p;
  for (int64_t k = 1; k < n && !isnan(q); k++) {
    double r = 2 * x * q - p;
    p = q;
    q = r;
  }
  return q;
}
TC_SPECIAL double tc_chebyshev_t(double x, double degree) {
  int64_t n = tc_degree(degree);
  if (n < 0) return 0;
  if (fabs(x) == 1) return x > 0 || n % 2 == 0 ? 1 : -1;
  return n > 6 && fabs(x) < 1 ? cos((double)n * acos(x)) : tc_chebyshev(x, x, n);
}
TC_SPECIAL double tc_chebyshev_u(double x, double degree) {
  int64_t n = tc_degree(degree);
  if (n < 0) return 0;
  if (fabs(x) == 1) return (x > 0 || n % 2 == 0 ? 1 : -1) * (double)(n + 1);
  return n > 8 && fabs(x) < 1 ? sin((double)(n + 1) * acos(x)) / sin(acos(x)) : tc_chebyshev(x, 2 * x, n);
}
TC_SPECIAL double tc_chebyshev_v(double x, double degree) {
  int64_t n = tc_degree(degree);
  if (n < 0) return 0;
  if (x == 1) return 1;
  if (x == -1) return (n % 2 == 0 ? 1 : -1) * (double)(2 * n + 1);
  return n > 8 && fabs(x) < 1 ? cos(((double)n + 0.5) * acos(x)) / cos(acos(x) / 2) : tc_chebyshev(x, 2 * x - 1, n);
}
TC_SPECIAL double tc_chebyshev_w(double x, double degree) {
  int64_t n = tc_degree(degree);
  if (n < 0) return 0;
  if (x == 1) return (double)(2 * n + 1);
  if (x == -1) return n % 2 == 0 ? 1 : -1;
  return n > 8 && fabs(x) < 1 ? sin(((double)n + 0.5) * acos(x)) / sin(acos(x) / 2) : tc_chebyshev(x, 2 * x + 1, n);
}
TC_SPECIAL double tc_hermite_h(double x, double degree) {
  int64_t n = tc_degree(degree);
  double p = 1, q = 2 * x;
  if (n <= 0) return n == 0;
  for (int64_t k = 1; k < n && !isnan(q); k++) {
    double r = 2 * x * q - 2 * (double)k * p;
    p = q;
    q = r;
  }
  return q;
}
TC_SPECIAL double tc_hermite_he(double x, double degree) {
  int64_t n = tc_degree(degree);
  double p = 1, q = x;
  if (n <= 0) return n == 0;
  for (int64_t k = 1; k < n && !isnan(q); k++) {
    double r = x * q - (double)k * p;
    p = q;
    q = r;
  }
  return q;
}
TC_SPECIAL double tc_laguerre(double x, double degree) {
  int64_t n = tc_degree(degree);
  double p = 1, q = 1 - x;
  if (n <= 0) return n == 0;
  if (x == 0) return 1;
  for (int64_t k = 1; k < n && !isnan(q); k++) {
    double r = ((2 * (double)k + 1 - x) * q - (double)k * p) / (double)(k + 1);
    p = q;
    q = r;
  }
  return q;
}
TC_SPECIAL double tc_legendre(double x, double degree) {
  int64_t n = tc_degree(degree);
  double p = 1, q = x;
  if (n <= 0) return n == 0;
  if (fabs(x) == 1) return x > 0 || n % 2 == 0 ? 1 : -1;
  for (int64_t k = 1; k < n && !isnan(q); k++) {
    double r = ((2 * (double)k + 1) * x * q - (double)k * p) / (double)(k + 1);
    p = q;
    q = r;
  }
  return q;
}
