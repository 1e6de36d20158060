namespace LatentBridge.Scanning.Checks;

/// <summary>Finds the copy of a picture among millions, by its sketch: 40 bytes a picture are kept in memory, the sketches themselves wherever the caller keeps them.</summary>
/// <remarks>
/// A hash is cut into four parts of 16 bits, each with a table from part to pictures. Copies have at least one part in common, or in common but for the cosines nearest to
/// zero, which are looked up both ways. One thread at a time.
/// </remarks>
sealed class CopyIndex(Func<long, PictureSketch?> read)
{
    const int Parts = 4;
    const int PartBits = 16;
    const int WeakSigns = 2;

    /// <summary>Signs that copies may differ in: those of small cosines.</summary>
    const int MaximumDistance = 10;

    /// <summary>Correlation of the cosines from which pictures are copies.</summary>
    const double LeastLikeness = 0.985;

    /// <summary>Pictures looked at in one list, so that a data set of one motif does not take time without end.</summary>
    const int MaximumList = 20_000;

    readonly int[] _heads = Filled(Parts << PartBits);
    int[] _next = [];
    ulong[] _hashes = [];
    ulong[] _strong = [];
    long[] _places = [];

    /// <summary>Pictures in it.</summary>
    public int Count { get; private set; }

    /// <summary>The place of an earlier picture that this one is a copy of.</summary>
    /// <param name="sketch">The picture.</param>
    /// <param name="mirrored">Whether to look for a copy of the mirrored picture.</param>
    public long? Find(PictureSketch sketch, bool mirrored)
    {
        ulong hash = mirrored ? sketch.MirroredHash : sketch.Hash;
        for (int part = 0; part < Parts; part++)
        {
            ulong weak = WeakestSigns(sketch, part);
            for (ulong flipped = weak; ; flipped = (flipped - 1) & weak)
            {
                if (FindInList(sketch, mirrored, hash, part, hash ^ flipped) is { } place)
                {
                    return place;
                }

                if (flipped == 0)
                {
                    break;
                }
            }
        }

        return null;
    }

    /// <summary>Adds a picture.</summary>
    /// <param name="sketch">The picture.</param>
    /// <param name="place">Where the caller finds the sketch again.</param>
    public void Add(PictureSketch sketch, long place)
    {
        ulong hash = sketch.Hash;
        if (Count == _hashes.Length)
        {
            int size = Math.Max(1024, 2 * Count);
            Array.Resize(ref _hashes, size);
            Array.Resize(ref _strong, size);
            Array.Resize(ref _places, size);
            Array.Resize(ref _next, size * Parts);
        }

        (_hashes[Count], _strong[Count], _places[Count]) = (hash, sketch.Strong, place);
        for (int part = 0; part < Parts; part++)
        {
            ref int head = ref _heads[Slot(hash, part)];
            _next[(Count * Parts) + part] = head;
            head = Count;
        }

        Count++;
    }

    long? FindInList(PictureSketch sketch, bool mirrored, ulong hash, int part, ulong probe)
    {
        int looked = 0;
        for (int at = _heads[Slot(probe, part)]; at >= 0 && looked < MaximumList; at = _next[(at * Parts) + part], looked++)
        {
            if (PictureSketch.Distance(_hashes[at], hash) <= MaximumDistance && PictureSketch.Distance(_strong[at], sketch.Strong) <= MaximumDistance
                && read(_places[at]) is { } other && sketch.Likeness(other, mirrored) >= LeastLikeness)
            {
                return _places[at];
            }
        }

        return null;
    }

    /// <summary>The bits of a part whose cosines are nearest to zero.</summary>
    static ulong WeakestSigns(PictureSketch sketch, int part)
    {
        ulong weakest = 0;
        for (int taken = 0; taken < WeakSigns; taken++)
        {
            int best = -1;
            for (int i = Math.Max(1, part * PartBits); i < (part + 1) * PartBits; i++)
            {
                if ((weakest & (1UL << i)) == 0 && (best < 0 || Math.Abs((int)sketch.Cosines[i]) < Math.Abs((int)sketch.Cosines[best])))
                {
                    best = i;
                }
            }

            weakest |= 1UL << best;
        }

        return weakest;
    }

    static int Slot(ulong hash, int part) => (part << PartBits) | (int)((hash >> (part * PartBits)) & ((1 << PartBits) - 1));

    static int[] Filled(int length)
    {
        int[] heads = new int[length];
        Array.Fill(heads, -1);
        return heads;
    }
}
