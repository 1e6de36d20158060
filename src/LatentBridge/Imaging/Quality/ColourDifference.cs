namespace LatentBridge.Imaging.Quality;

/// <summary>Differences of two colours.</summary>
static class ColourDifference
{
    const double DegreesOfRadian = 180 / Math.PI;

    /// <summary>CIEDE2000 with all weights 1, after Sharma, Wu and Dalal 2005, whose names the variables have.</summary>
    public static double CieDe2000(LabColour first, LabColour second)
    {
        double meanChroma = (Math.Sqrt(first.A * first.A + first.B * first.B) + Math.Sqrt(second.A * second.A + second.B * second.B)) / 2;
        double g = 0.5 * (1 - Math.Sqrt(SeventhPower(meanChroma) / (SeventhPower(meanChroma) + SeventhPower(25))));
        (double a1, double a2) = ((1 + g) * first.A, (1 + g) * second.A);
        (double c1, double c2) = (Math.Sqrt(a1 * a1 + first.B * first.B), Math.Sqrt(a2 * a2 + second.B * second.B));
        (double h1, double h2) = (Hue(a1, first.B), Hue(a2, second.B));

        double deltaL = second.L - first.L;
        double deltaC = c2 - c1;
        double turn = c1 * c2 == 0 ? 0 : h2 - h1 > 180 ? h2 - h1 - 360 : h2 - h1 < -180 ? h2 - h1 + 360 : h2 - h1;
        double deltaH = 2 * Math.Sqrt(c1 * c2) * Math.Sin(turn / 2 / DegreesOfRadian);

        double l = (first.L + second.L) / 2;
        double c = (c1 + c2) / 2;
        double h = c1 * c2 == 0 ? h1 + h2 : Math.Abs(h1 - h2) <= 180 ? (h1 + h2) / 2 : h1 + h2 < 360 ? (h1 + h2 + 360) / 2 : (h1 + h2 - 360) / 2;

        double t = 1 - 0.17 * Cosine(h - 30) + 0.24 * Cosine(2 * h) + 0.32 * Cosine(3 * h + 6) - 0.20 * Cosine(4 * h - 63);
        double deltaTheta = 30 * Math.Exp(-((h - 275) / 25 * ((h - 275) / 25)));
        double rc = 2 * Math.Sqrt(SeventhPower(c) / (SeventhPower(c) + SeventhPower(25)));
        double sl = 1 + 0.015 * (l - 50) * (l - 50) / Math.Sqrt(20 + (l - 50) * (l - 50));
        double sc = 1 + 0.045 * c;
        double sh = 1 + 0.015 * c * t;
        double rt = -Math.Sin(2 * deltaTheta / DegreesOfRadian) * rc;

        (double dl, double dc, double dh) = (deltaL / sl, deltaC / sc, deltaH / sh);
        return Math.Sqrt(dl * dl + dc * dc + dh * dh + rt * dc * dh);
    }

    static double Hue(double a, double b)
    {
        double degrees = a == 0 && b == 0 ? 0 : Math.Atan2(b, a) * DegreesOfRadian;
        return degrees < 0 ? degrees + 360 : degrees;
    }

    static double Cosine(double degrees) => Math.Cos(degrees / DegreesOfRadian);

    static double SeventhPower(double value)
    {
        double cube = value * value * value;
        return cube * cube * value;
    }
}
