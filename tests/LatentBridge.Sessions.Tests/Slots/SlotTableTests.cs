using LatentBridge.Ipc;

namespace LatentBridge.Sessions.Tests;

public sealed class SlotTableTests : IDisposable
{
    readonly Rooms _rooms = new();

    public void Dispose() => _rooms.Dispose();

    [Fact]
    public void A_latent_slot_is_held_until_it_is_given_back()
    {
        _rooms.Clock.Advance(5);
        SubmittedLatent latent = _rooms.Take(1);
        Assert.Equal((1, _rooms.Clock.GetTimestamp()), (latent.Slot, latent.Timestamp));
        Assert.Contains("already", _rooms.Slots.Take(1, latent.Header.Sequence, out _)!.Value.Detail, StringComparison.Ordinal);
        Assert.Empty(_rooms.Sink.Events);

        _rooms.Slots.GiveBack(latent);
        Assert.Equal([new RecordingSink.Released(1, latent.Header.Sequence)], _rooms.Sink.Events);
        Assert.Null(_rooms.Slots.Take(1, latent.Header.Sequence, out _));
    }

    [Fact]
    public void A_slot_that_says_another_sequence_is_released_at_once_and_not_held()
    {
        ulong sequence = _rooms.Write(2).Sequence;
        DroppedLatent dropped = _rooms.Slots.Take(2, sequence + 1, out _)!.Value;
        Assert.Equal((sequence + 1, DropReason.BadSlot), (dropped.Sequence, dropped.Reason));
        Assert.Equal([new RecordingSink.Released(2, sequence + 1)], _rooms.Sink.Events);
        Assert.Null(_rooms.Slots.Take(2, sequence, out _));
    }

    [Fact]
    public void Image_slots_are_taken_lowest_first_until_none_is_free()
    {
        Assert.Equal((0, 1, false), (_rooms.Slots.TakeImageSlot(), _rooms.Slots.TakeImageSlot(), _rooms.Slots.HasFreeImageSlot));
        _rooms.Slots.FreeImageSlot(1);
        Assert.Equal(1, _rooms.Slots.TakeImageSlot());
        Assert.Equal((true, false, false), (_rooms.Slots.HasImageSlot(1), _rooms.Slots.HasImageSlot(2), _rooms.Slots.HasImageSlot(-1)));
    }

    [Fact]
    public void A_mapping_attached_anew_has_all_slots_free_and_none_attached_has_no_slot()
    {
        var slots = new SlotTable(_rooms.Sink, _rooms.Clock);
        Assert.Equal((false, 0U, false, false), (slots.IsAttached, slots.Generation, slots.HasFreeImageSlot, slots.HasImageSlot(0)));
        Assert.Contains("no mapping", slots.Take(0, 1, out _)!.Value.Detail, StringComparison.Ordinal);

        using var memory = new Testing.ShimMemory(HeaderPage.Create(4, 3968, 2, 3968, Environment.ProcessId, 7));
        SharedMapping Open() => SharedMapping.Open(memory.Source, (long)HeaderPage.Create(4, 3968, 2, 3968, Environment.ProcessId, 7).TotalLength, 7);
        slots.Attach(Open());
        slots.TakeImageSlot();
        slots.TakeImageSlot();
        slots.Attach(Open());
        Assert.Equal((true, 7U, 0), (slots.IsAttached, slots.Generation, slots.TakeImageSlot()));
        slots.Detach();
        Assert.Equal((false, false), (slots.IsAttached, slots.HasFreeImageSlot));
    }
}
