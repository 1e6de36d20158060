namespace LatentBridge.Ipc;

/// <summary>Where a mapping comes from: an inherited descriptor (Unix) or a named section (Windows).</summary>
/// <param name="Descriptor">The descriptor's number, -1 for a section.</param>
/// <param name="Name">The section's name, null for a descriptor.</param>
public readonly record struct MappingSource(int Descriptor, string? Name)
{
    /// <summary>A descriptor that this process inherited; it stays open and the caller's.</summary>
    public static MappingSource FromDescriptor(int descriptor) => new(descriptor, null);

    /// <summary>A pagefile-backed section of Windows.</summary>
    public static MappingSource FromSection(string name) => new(-1, name);

    /// <summary>As people read it: <c>descriptor 7</c>, <c>section "..."</c>.</summary>
    public override string ToString() => Name is null ? $"descriptor {Descriptor}" : $"section \"{Name}\"";
}
