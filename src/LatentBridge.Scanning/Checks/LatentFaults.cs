namespace LatentBridge.Scanning.Checks;

/// <summary>What can be wrong with a latent. Reports name each by its name in small letters.</summary>
[Flags]
public enum LatentFaults
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Some values are NaN.</summary>
    Nan = 1 << 0,

    /// <summary>Some values are infinite.</summary>
    Inf = 1 << 1,

    /// <summary>All values are zero.</summary>
    Zero = 1 << 2,

    /// <summary>All values of a channel are one and the same.</summary>
    Constant = 1 << 3,

    /// <summary>Mean and spread are not those of the format in the scale that the file says.</summary>
    Scale = 1 << 4,

    /// <summary>Values pile up at one limit, as after a clamp.</summary>
    Saturated = 1 << 5,

    /// <summary>The picture was there before.</summary>
    Duplicate = 1 << 6,

    /// <summary>The picture was there before, mirrored left to right.</summary>
    Mirrored = 1 << 7,

    /// <summary>The picture lies between two black bars.</summary>
    Letterbox = 1 << 8,

    /// <summary>The whole picture is black.</summary>
    Black = 1 << 9,

    /// <summary>The whole picture is white.</summary>
    White = 1 << 10,

    /// <summary>The latent's size is not what its file's or tensor's name says.</summary>
    Bucket = 1 << 11,

    /// <summary>The picture beside it shows something else.</summary>
    Picture = 1 << 12,
}

/// <summary>Names of <see cref="LatentFaults"/>.</summary>
public static class LatentFaultsExtensions
{
    /// <summary>Each single fault with its name in reports.</summary>
    public static IReadOnlyList<(LatentFaults Fault, string Name)> All { get; } =
        [.. Enum.GetValues<LatentFaults>().Where(fault => fault != LatentFaults.None).Select(fault => (fault, fault.ToString().ToLowerInvariant()))];

    /// <summary>Faults that a latent shows by itself, without the others, its file and its picture.</summary>
    public static LatentFaults OfOneLatent =>
        LatentFaults.Nan | LatentFaults.Inf | LatentFaults.Zero | LatentFaults.Constant | LatentFaults.Scale | LatentFaults.Saturated | LatentFaults.Letterbox | LatentFaults.Black | LatentFaults.White;

    /// <summary>The names of the faults that are set, in the order of the enumeration.</summary>
    public static IEnumerable<string> Names(this LatentFaults faults) => All.Where(one => faults.HasFlag(one.Fault)).Select(one => one.Name);

    /// <summary>The fault of that name; none for a name that no fault has.</summary>
    public static LatentFaults Parse(string name) => All.FirstOrDefault(one => one.Name == name).Fault;
}
